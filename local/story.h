#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/kube/json.h"

namespace pilotlight::local {

/// One line about what happened, for people who watch `up`.
struct StoryLine {
  enum class Tone { good, plain, warning };
  Tone tone = Tone::plain;
  std::string text;
};

/// "0.4 ms", "31 ms", "3.21 s".
[[nodiscard]] std::string length_text(std::int64_t length_us);

/// Turns the events of the activator, the autoscaler and the runtime into lines, one for each thing
/// that happened: a wake with its phases, a change of scale, falling asleep, an end of a process.
///
/// The three sources are followed separately, so the parts of a wake come in any order: its line is
/// held until the parts are there, or two seconds after the answer. All times are CLOCK_MONOTONIC
/// microseconds. Pure; bounded by the number of revisions.
class Story {
 public:
  using Teller = std::function<void(const StoryLine&)>;

  explicit Story(Teller teller) : teller_(std::move(teller)) {}

  /// Lines speak of services; events of revisions. An unknown revision is called by its own name.
  void know(const std::string& space, const std::string& revision, const std::string& service);

  /// Events of the activator (parked, served, unserved).
  void on_activator(const kube::Json& event, std::int64_t now_us);
  /// Events of the autoscaler (decision, replica_ready, replica_not_ready).
  void on_autoscaler(const kube::Json& event, std::int64_t now_us);
  /// Events of the runtime (replica_started, replica_exited, ...).
  void on_runtime(const kube::Json& event, std::int64_t now_us);

  /// Tells what has waited long enough for its missing parts.
  void on_time(std::int64_t now_us);

 private:
  struct Replica {
    std::optional<std::int64_t> app_exec_us, sidecar_exec_us;
    std::optional<std::int64_t> listen_us, ready_at_us;
  };
  struct Wake {
    bool parked = false;
    std::int64_t parked_at_us = 0;
    std::optional<std::int64_t> decided_at_us;
    std::optional<std::int64_t> first_byte_at_us;
    std::int64_t served_known_us = 0;
    std::map<std::string, Replica> replicas;
  };
  using Key = std::pair<std::string, std::string>;  // namespace, revision

  [[nodiscard]] static const Replica* first_ready(const Wake& wake);
  void on_decision(const Key& key, const kube::Json& event);
  void on_exit(const Key& key, const kube::Json& event);
  [[nodiscard]] const std::string& name(const Key& key) const;
  void tell_if_whole(const Key& key, std::int64_t now_us, bool late);
  void tell(StoryLine::Tone tone, std::string text);
  void tell_wake(const Key& key, const Wake& wake);

  Teller teller_;
  std::map<Key, Wake> wakes_;
  std::map<Key, std::string> services_;
};

}  // namespace pilotlight::local
