#include "bench/fleet.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <span>

#include <sys/epoll.h>

#include "common/wire/credentials.h"

namespace pilotlight::bench {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::uint32_t kAtOnce = 200;  // connections that are being made
constexpr auto kConnectTime = 60s;
constexpr std::size_t kChunk = 64 * 1024;

std::uint64_t monotonic_us(TimePoint at) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count());
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bench-fleet: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace

/// One end of a connection: a sidecar, or the activator.
struct Fleet::Party {
  wire::Hello hello;
  Line line;
  wire::FrameReader reader;
  wire::Bytes unsent;
  std::uint64_t born_us = 0;
  bool welcomed = false;
};

Fleet::Fleet(const Options& options) : options_(options), epoll_(make_epoll()), chunk_(kChunk) {
  if (!options_.ca.empty()) trust_.emplace(options_.ca, wire::kServerName);
  for (std::uint32_t i = 0; i < options_.sidecars; ++i) {
    auto party = std::make_unique<Party>();
    wire::Hello& hello = party->hello;
    hello.role = wire::Role::sidecar;
    hello.revision.name_space = "default";
    hello.revision.revision = revision_name(i % options_.revisions);
    hello.replica = hello.revision.revision + "-" + std::to_string(i / options_.revisions);
    hello.address = "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                    std::to_string(i & 255) + ":8012";
    hello.epoch = i + 1;
    hello.token = options_.token;
    sidecars_.push_back(std::move(party));
  }
  activator_ = std::make_unique<Party>();
  activator_->hello.role = wire::Role::activator;
  activator_->hello.replica = "activator";
  activator_->hello.epoch = options_.sidecars + 1;
  activator_->hello.token = options_.token;
}

Fleet::~Fleet() = default;

std::string Fleet::revision_name(std::uint32_t number) { return "fleet-" + std::to_string(number); }

void Fleet::open(Party& party) {
  party.line = Line(begin_connect(options_.autoscaler), trust_ ? &*trust_ : nullptr);
  if (!party.line) die("connect to the autoscaler");
  party.born_us = monotonic_us(Steady::now());
  watch(epoll_, party.line.socket(), &party);
  say(party, party.hello);
}

void Fleet::connect() {
  const auto deadline = Steady::now() + kConnectTime;
  open(*activator_);
  std::uint32_t opened = 0;
  while (welcomed_ < options_.sidecars + 1) {
    while (opened < options_.sidecars && opened < welcomed_ + kAtOnce) open(*sidecars_[opened++]);
    handle(10);
    if (lost_ > 0) fail("the autoscaler ended a connection while they were being made");
    if (Steady::now() > deadline) {
      fail("only " + std::to_string(welcomed_) + " connections were welcomed within a minute");
    }
  }
  round_ = Steady::now();
}

void Fleet::run(TimePoint until, const std::function<void()>& each) {
  for (auto now = Steady::now(); now < until; now = Steady::now()) {
    report_due(now);
    each();
    handle(1);
  }
}

void Fleet::listen(TimePoint until) {
  while (Steady::now() < until) handle(5);
}

void Fleet::report_due(TimePoint now) {
  const auto count = static_cast<std::int64_t>(sidecars_.size());
  while (count > 0) {
    const auto due = round_ + Duration(1s) * static_cast<std::int64_t>(next_) / count;
    if (due > now) return;
    latest_us_ = std::max<std::int64_t>(
        latest_us_, std::chrono::duration_cast<std::chrono::microseconds>(now - due).count());
    report(*sidecars_[next_], now);
    if (++next_ < sidecars_.size()) continue;
    next_ = 0;
    round_ += 1s;
  }
}

void Fleet::report(Party& party, TimePoint now) {
  if (!party.line) return;
  wire::Stats stats;
  stats.revision = party.hello.revision;
  stats.epoch = party.hello.epoch;
  stats.limit = 1;
  stats.load.at_us = monotonic_us(now);
  const double lived_us = static_cast<double>(stats.load.at_us - party.born_us);
  stats.load.concurrency_us = static_cast<std::uint64_t>(lived_us * options_.concurrency);
  stats.load.arrivals = static_cast<std::uint64_t>(lived_us / 1e5);  // ten a second
  stats.load.completions = stats.load.arrivals;
  stats.load.service_time_us = stats.load.concurrency_us;
  stats.load.in_flight = 1;
  say(party, stats);
  ++reports_sent_;
}

void Fleet::poke(std::span<const Wake> wakes) {
  for (const Wake& wake : wakes) {
    wire::Poke poke;
    poke.revision.name_space = "default";
    poke.revision.revision = wake.revision;
    poke.parked = wake.parked;
    const Result<wire::Bytes> bytes = wire::encode(poke);
    activator_->unsent.insert(activator_->unsent.end(), bytes->begin(), bytes->end());
    ++frames_sent_;
  }
  flush(*activator_);
}

void Fleet::say(Party& party, const wire::Frame& frame) {
  const Result<wire::Bytes> bytes = wire::encode(frame);
  if (bytes.has_error()) fail("a frame does not encode: " + bytes.error().message());
  party.unsent.insert(party.unsent.end(), bytes->begin(), bytes->end());
  if (!std::holds_alternative<wire::Pong>(frame)) ++frames_sent_;
  flush(party);
}

void Fleet::flush(Party& party) {
  while (party.line && !party.unsent.empty()) {
    const ssize_t sent = party.line.send(party.unsent);
    if (sent == 0) return;
    if (sent < 0) return lose(party);
    party.unsent.erase(party.unsent.begin(), party.unsent.begin() + sent);
  }
}

void Fleet::lose(Party& party) {
  ++lost_;
  party.line.close();
}

void Fleet::handle(int timeout_ms) {
  std::array<epoll_event, 512> events;
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0 && errno != EINTR) die("epoll_wait");
  for (int i = 0; i < count; ++i) {
    Party& party = *static_cast<Party*>(events[static_cast<std::size_t>(i)].data.ptr);
    flush(party);
    take(party);
    flush(party);  // what has waited for the handshake
  }
}

void Fleet::take(Party& party) {
  while (party.line) {
    const ssize_t got = party.line.receive(chunk_);
    if (got == 0) return;
    if (got < 0) return lose(party);
    party.reader.feed(std::span<const std::byte>(chunk_).first(static_cast<std::size_t>(got)));
    for (;;) {
      Result<std::optional<wire::Frame>> frame = party.reader.next();
      if (frame.has_error()) fail("a frame does not decode: " + frame.error().message());
      if (!frame->has_value()) break;
      answer(party, **frame);
    }
  }
}

void Fleet::answer(Party& party, const wire::Frame& frame) {
  if (const auto* error = std::get_if<wire::Error>(&frame)) {
    std::fprintf(stderr, "bench-fleet: %s was told: %s\n", party.hello.replica.c_str(),
                 error->text.c_str());
  } else if (const auto* ping = std::get_if<wire::Ping>(&frame)) {
    wire::Pong pong;
    pong.id = ping->id;
    say(party, pong);
  } else if (std::holds_alternative<wire::Welcome>(frame) && !party.welcomed) {
    party.welcomed = true;
    ++welcomed_;
    wire::HistoryEnd nothing_before;
    nothing_before.epoch = party.hello.epoch;
    say(party, nothing_before);
    if (party.hello.role != wire::Role::sidecar) return;
    wire::Ready ready;
    ready.epoch = party.hello.epoch;
    ready.capacity = 1;
    ready.listen_us = 900'000;
    ready.ready_us = 1'000'000;
    say(party, ready);
  }
}

}  // namespace pilotlight::bench
