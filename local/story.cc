#include "local/story.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace pilotlight::local {
namespace {

using kube::Json;
using Tone = StoryLine::Tone;

constexpr std::int64_t kPatienceUs = 2'000'000;

std::optional<std::int64_t> time_of(const Json& event, std::string_view name) {
  const auto value = kube::integer(event, {name});
  return value && *value > 0 ? value : std::nullopt;
}

std::string copy(const Json& event, std::string_view name) {
  return std::string(kube::text(event, {name}));
}

}  // namespace

std::string length_text(std::int64_t length_us) {
  const auto us = static_cast<double>(std::max<std::int64_t>(0, length_us));
  if (us < 9'950) return fmt::format("{:.1f} ms", us / 1e3);
  if (us < 999'500) return fmt::format("{:.0f} ms", us / 1e3);
  return fmt::format("{:.2f} s", us / 1e6);
}

void Story::know(const std::string& space, const std::string& revision,
                 const std::string& service) {
  // Two services of one name in two namespaces need their namespaces to be told apart.
  services_[Key(space, revision)] = space == "default" ? service : space + "/" + service;
}

const std::string& Story::name(const Key& key) const {
  const auto known = services_.find(key);
  return known == services_.end() ? key.second : known->second;
}

void Story::on_activator(const Json& event, std::int64_t now_us) {
  const Key key(copy(event, "namespace"), copy(event, "revision"));
  const std::string_view kind = kube::text(event, {"kind"});
  if (kind == "parked") {
    Wake& wake = wakes_[key];
    if (wake.parked && !wake.first_byte_at_us) return;
    wake.parked = true;
    wake.parked_at_us = time_of(event, "at_us").value_or(now_us);
    wake.first_byte_at_us.reset();
    // The decision may have been heard of first; an older one belongs to an earlier wake.
    if (wake.decided_at_us && *wake.decided_at_us < wake.parked_at_us) wake.decided_at_us.reset();
  } else if (kind == "served") {
    Wake& wake = wakes_[key];
    wake.parked = true;
    wake.parked_at_us = time_of(event, "parked_at_us").value_or(wake.parked_at_us);
    wake.first_byte_at_us = time_of(event, "first_byte_at_us").value_or(now_us);
    wake.served_known_us = now_us;
    tell_if_whole(key, now_us, false);
  } else if (kind == "unserved") {
    wakes_.erase(key);
    const std::int64_t waited_us = now_us - time_of(event, "parked_at_us").value_or(now_us);
    tell(Tone::warning, fmt::format("{} did not answer in {}: {}", name(key),
                                    length_text(waited_us), kube::text(event, {"cause"})));
  }
}

void Story::on_autoscaler(const Json& event, std::int64_t now_us) {
  const Key key(copy(event, "namespace"), copy(event, "revision"));
  const std::string_view kind = kube::text(event, {"kind"});
  if (kind == "decision") {
    on_decision(key, event);
  } else if (kind == "replica_ready") {
    Replica& replica = wakes_[key].replicas[copy(event, "replica")];
    replica.listen_us = kube::integer(event, {"listen_us"});
    replica.ready_at_us = time_of(event, "ready_at_us");
  } else {
    return;
  }
  tell_if_whole(key, now_us, false);
}

void Story::on_decision(const Key& key, const Json& event) {
  const std::int64_t from = kube::integer(event, {"from"}).value_or(0);
  const std::int64_t to = kube::integer(event, {"to"}).value_or(0);
  const std::string_view text = kube::text(event, {"text"});
  const std::string_view reason = kube::text(event, {"reason"});
  if (from == 0 && to > 0) {
    wakes_[key].decided_at_us = time_of(event, "decided_at_us");
    if (reason == "poke") return;  // the wake's own line tells it
  }
  if (from == to) return;
  const std::string_view why = text.empty() ? reason : text;
  if (to == 0) {
    // A request that was parked since then belongs to the next wake.
    const auto wake = wakes_.find(key);
    const std::int64_t at_us = time_of(event, "decided_at_us").value_or(0);
    if (wake != wakes_.end() && (!wake->second.parked || wake->second.parked_at_us <= at_us)) {
      wakes_.erase(wake);
    }
    constexpr std::string_view kIdle = "no request for ";
    tell(Tone::plain, why.starts_with(kIdle) ? fmt::format("{} asleep after {} idle", name(key),
                                                           why.substr(kIdle.size()))
                                             : fmt::format("{} asleep: {}", name(key), why));
  } else {
    tell(Tone::plain, fmt::format("{} scaled {} -> {} because {}", name(key), from, to, why));
  }
}

void Story::on_runtime(const Json& event, std::int64_t now_us) {
  const Key key(copy(event, "namespace"), copy(event, "revision"));
  const std::string_view kind = kube::text(event, {"kind"});
  if (kind == "replica_started") {
    Replica& replica = wakes_[key].replicas[copy(event, "replica")];
    replica.app_exec_us = time_of(event, "app_exec_at_us");
    replica.sidecar_exec_us = time_of(event, "sidecar_exec_at_us");
    // A restarted replica keeps its name: what its predecessor reported is history.
    if (replica.ready_at_us && replica.app_exec_us && *replica.ready_at_us < *replica.app_exec_us) {
      replica.ready_at_us.reset();
    }
    tell_if_whole(key, now_us, false);
  } else if (kind == "replica_ended") {
    const auto wake = wakes_.find(key);
    if (wake != wakes_.end()) wake->second.replicas.erase(copy(event, "replica"));
  } else if (kind == "replica_exited") {
    on_exit(key, event);
  } else if (kind == "component_exited") {
    tell(Tone::warning, fmt::format("{} {}; started again", kube::text(event, {"name"}),
                                    kube::text(event, {"cause"})));
  }
}

void Story::on_exit(const Key& key, const Json& event) {
  const std::int64_t retry_ms = kube::integer(event, {"retry_ms"}).value_or(0);
  const std::string next =
      retry_ms == 0 ? "starting again" : "starting again in " + length_text(retry_ms * 1000);
  std::string text = fmt::format("{}: {} of {}; {}", name(key), kube::text(event, {"cause"}),
                                 kube::text(event, {"replica"}), next);
  const Json& log = kube::array(event, {"log"});
  const std::size_t first = log.size() > 5 ? log.size() - 5 : 0;
  for (std::size_t i = first; i < log.size(); ++i) {
    if (log[i].is_string()) text += "\n    | " + log[i].get<std::string>();
  }
  tell(Tone::warning, std::move(text));
}

void Story::on_time(std::int64_t now_us) {
  std::vector<Key> keys;
  for (const auto& [key, wake] : wakes_) keys.push_back(key);
  for (const Key& key : keys) tell_if_whole(key, now_us, true);
}

const Story::Replica* Story::first_ready(const Wake& wake) {
  const Replica* first = nullptr;
  for (const auto& [name, replica] : wake.replicas) {
    if (!replica.ready_at_us || !replica.app_exec_us || !replica.sidecar_exec_us) continue;
    if (first == nullptr || *replica.ready_at_us < *first->ready_at_us) first = &replica;
  }
  return first;
}

void Story::tell_if_whole(const Key& key, std::int64_t now_us, bool late) {
  const auto found = wakes_.find(key);
  if (found == wakes_.end() || !found->second.parked || !found->second.first_byte_at_us) return;
  Wake& wake = found->second;
  const bool whole = wake.decided_at_us && first_ready(wake) != nullptr;
  if (!whole && !(late && now_us - wake.served_known_us >= kPatienceUs)) return;
  tell_wake(key, wake);
  wake.parked = false;
  wake.decided_at_us.reset();
  wake.first_byte_at_us.reset();
}

void Story::tell_wake(const Key& key, const Wake& wake) {
  std::string text = fmt::format("{} woke in {}", name(key),
                                 length_text(*wake.first_byte_at_us - wake.parked_at_us));
  const Replica* replica = first_ready(wake);
  if (replica != nullptr && wake.decided_at_us && replica->listen_us) {
    const std::int64_t listening_us = *replica->sidecar_exec_us + *replica->listen_us;
    text += fmt::format(": decide {}, start {}, listen {}, ready {}, first byte {}",
                        length_text(*wake.decided_at_us - wake.parked_at_us),
                        length_text(*replica->app_exec_us - *wake.decided_at_us),
                        length_text(listening_us - *replica->app_exec_us),
                        length_text(*replica->ready_at_us - listening_us),
                        length_text(*wake.first_byte_at_us - *replica->ready_at_us));
  }
  tell(Tone::good, std::move(text));
}

void Story::tell(Tone tone, std::string text) {
  StoryLine line;
  line.tone = tone;
  line.text = std::move(text);
  teller_(line);
}

}  // namespace pilotlight::local
