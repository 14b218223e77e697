#include "bench/fleet_run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <span>
#include <string>

#include <time.h>

#include "bench/bare_trips.h"

namespace pilotlight::bench {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using nlohmann::json;

constexpr auto kPatience = 60s;  // until what was asked for has been done: nobody is hurried

double cpu_seconds_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    die("the CPU time of the autoscaler");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::uint64_t resident_bytes_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib * 1024;
  }
  die("the memory of the autoscaler");
}

/// What replicas the autoscaler must ask for when so many are parked: each may have 0.7 of its one.
std::int32_t replicas_for(std::uint32_t parked) {
  return static_cast<std::int32_t>(std::ceil(parked / 0.7));
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

json times(const std::vector<double>& milliseconds) {
  return {{"median_ms", percentile(milliseconds, 0.5)},
          {"p99_ms", percentile(milliseconds, 0.99)},
          {"largest_ms", percentile(milliseconds, 1)}};
}

Duration seconds(double length) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(length));
}

std::vector<Fleet::Wake> wakes(const std::string& kind, std::uint32_t count) {
  std::vector<Fleet::Wake> out(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    out[i].revision = kind + "-" + std::to_string(i);
    out[i].parked = 1 + i % 5;
  }
  return out;
}

/// One PATCH in four fails, each kind of failure as often as the others.
StubApi::Trouble trouble() {
  return [dice = std::mt19937_64(1)](const StubApi::Patch&) mutable {
    using Kind = StubApi::Fault::Kind;
    std::optional<StubApi::Fault> fault;
    const auto pick = dice() % 20;
    if (pick > 4) return fault;
    fault.emplace();
    constexpr unsigned kStatuses[] = {409, 429, 500};
    if (pick < 3) fault->status = kStatuses[pick];
    if (pick == 1) fault->retry_after_seconds = 1;
    if (pick == 3) fault->kind = Kind::reset;
    if (pick == 4) fault->kind = Kind::lost_answer;
    return fault;
  };
}

}  // namespace

FleetRun::FleetRun(const Options& options)
    : options_(options),
      api_(std::chrono::microseconds(options.latency_us)),
      fleet_(options.fleet) {
  const Fleet::Options& fleet = options_.fleet;
  for (std::uint32_t i = 0; i < fleet.revisions; ++i) {
    const auto replicas = fleet.sidecars / fleet.revisions + (i < fleet.sidecars % fleet.revisions);
    api_.add(Fleet::revision_name(i), static_cast<std::int32_t>(replicas));
  }
  for (const auto& [kind, count] : {std::pair("sleeper", pokes()),
                                    {"waker", options_.wakes},
                                    {"patient", options_.failing_wakes}}) {
    for (const Fleet::Wake& wake : wakes(kind, count)) api_.add(wake.revision, 0);
  }
}

std::uint32_t FleetRun::pokes() const {
  return static_cast<std::uint32_t>(options_.pokes_per_second * options_.seconds);
}

json FleetRun::whole() {
  begin();
  json out = steady();
  out["wakes"] = at_once("waker", options_.wakes);
  api_.ask([](StubApi& api) { api.set_trouble(trouble()); });
  out["failing_wakes"] = at_once("patient", options_.failing_wakes);
  fleet_.listen(Steady::now() + 500ms);
  out["frames_sent"] = fleet_.frames_sent();
  out["reports_sent"] = fleet_.reports_sent();
  out["connections_lost"] = fleet_.lost();
  out["latest_report_us"] = fleet_.latest_us();
  out["unexpected_patches"] = unexpected();
  return out;
}

void FleetRun::end() { api_.stop(); }

void FleetRun::begin() {
  api_.start(options_.api);
  std::puts("serving");
  std::fflush(stdout);
  if (!(std::cin >> pid_)) {
    std::fputs("bench-fleet: expected a process id on stdin\n", stderr);
    std::exit(1);
  }
  const auto deadline = Steady::now() + 30s;
  while (!api_.listed()) {
    fleet_.listen(Steady::now() + 10ms);
    if (Steady::now() < deadline) continue;
    std::fputs("bench-fleet: the autoscaler did not list the Deployments within 30 s\n", stderr);
    std::exit(1);
  }
  fleet_.listen(Steady::now() + 300ms);
  resident_alone_ = resident_bytes_of(pid_);
  fleet_.connect();
  fleet_.run(Steady::now() + seconds(options_.warm_up_seconds), [] {});
}

json FleetRun::steady() {
  const std::uint64_t before = api_.taken();
  const auto start = Steady::now();
  const double cpu = cpu_seconds_of(pid_);
  const Poked poked = poke_at_times();
  const double took = std::chrono::duration<double>(Steady::now() - start).count();
  json out;
  out["cpu_cores"] = (cpu_seconds_of(pid_) - cpu) / took;
  out["resident_bytes"] = resident_bytes_of(pid_);
  out["resident_alone_bytes"] = resident_alone_;
  out["seconds"] = took;
  out["pokes"] = settled(poked.asked, before);
  out["bare"] = times(poked.bare);
  return out;
}

FleetRun::Poked FleetRun::poke_at_times() {
  Poked out;
  BareTrips bare(options_.core);
  bool bare_next = false;
  const std::vector<Fleet::Wake> sleepers = wakes("sleeper", pokes());
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> any(0, 1);
  auto next = Steady::now();
  fleet_.run(next + seconds(options_.seconds), [&] {
    if (out.asked.size() == sleepers.size() || Steady::now() < next) return;
    next += seconds(any(random) / options_.pokes_per_second);  // so often each on average
    bare_next = !bare_next;
    if (bare_next) return bare.send();
    Asked one;
    one.wake = sleepers[out.asked.size()];
    one.at = Steady::now();
    fleet_.poke(std::span(&one.wake, 1));
    out.asked.push_back(std::move(one));
  });
  out.bare = bare.finish();
  return out;
}

json FleetRun::at_once(const std::string& kind, std::uint32_t count) {
  const std::vector<Fleet::Wake> all = wakes(kind, count);
  std::vector<Asked> asked;
  const std::uint64_t before = api_.taken();
  const auto start = Steady::now();
  for (const Fleet::Wake& wake : all) {
    Asked& one = asked.emplace_back();
    one.wake = wake;
    one.at = start;
  }
  fleet_.poke(all);
  return settled(asked, before);
}

/// What came of it, once each has what it asked for. Until so many PATCHes were taken, the API's
/// thread is left alone.
json FleetRun::settled(const std::vector<Asked>& asked, std::uint64_t taken_before) {
  const auto end = Steady::now() + kPatience;
  // A PATCH whose answer was lost is taken twice, so as many may not be all: until all are right.
  while (Steady::now() < end) {
    fleet_.run(Steady::now() + 50ms, [] {});
    const bool enough = api_.taken() - taken_before >= asked.size();
    if (enough && judge(asked)["right"] == asked.size()) break;
  }
  fleet_.run(Steady::now() + 200ms, [] {});  // what comes twice shows
  return judge(asked);
}

/// How long each took from the POKE to its first PATCH on the wire, and what came of it.
json FleetRun::judge(const std::vector<Asked>& asked) {
  std::map<std::string, std::vector<StubApi::Patch>> patches;
  std::map<std::string, std::int32_t> replicas;
  api_.ask([&](StubApi& api) {
    for (const StubApi::Patch& patch : api.patches()) patches[patch.name].push_back(patch);
    for (const Asked& one : asked) {
      replicas[one.wake.revision] = api.replicas(one.wake.revision).value_or(-1);
    }
  });
  std::vector<double> milliseconds;
  std::uint64_t sent = 0;
  std::uint64_t once = 0;
  std::uint64_t right = 0;
  for (const Asked& one : asked) {
    const auto& mine = patches[one.wake.revision];
    sent += mine.size();
    once += mine.size() == 1 ? 1 : 0;
    right += replicas[one.wake.revision] == replicas_for(one.wake.parked) ? 1 : 0;
    if (mine.empty()) continue;
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(mine.front().arrived - one.at).count());
  }
  json out = times(milliseconds);
  out.update(
      {{"asked", asked.size()}, {"patched_once", once}, {"right", right}, {"patches", sent}});
  return out;
}

/// PATCHes of revisions whose load never changed.
std::uint64_t FleetRun::unexpected() {
  std::uint64_t count = 0;
  api_.ask([&](StubApi& api) {
    for (const StubApi::Patch& patch : api.patches()) count += patch.name.starts_with("fleet-");
  });
  return count;
}

}  // namespace pilotlight::bench
