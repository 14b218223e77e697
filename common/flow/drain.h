#pragma once

#include <optional>

#include "common/base/clock.h"

namespace pilotlight {

/// When a replica that has been told to end may stop taking requests: the fence, as a pure state
/// machine.
///
/// Connected to our autoscaler, the answer is exact: DRAINED says that no activator will send
/// anything more. Otherwise Knative's guess has to do: 30 s without a new request (knative.md 1.12).
/// A connection that is lost, or an autoscaler that does not answer for `answer_patience`, falls
/// back to the guess. Requests that are under way are not its business: who fences waits for them.
class DrainFence {
 public:
  struct Params {
    Duration quiet = std::chrono::seconds(30);
    Duration answer_patience = std::chrono::seconds(10);
  };

  explicit DrainFence(Params params) noexcept : params_(params) {}

  /// The replica was told to end. Later calls change nothing.
  void begin(TimePoint now) noexcept;

  /// The drain was called off (a container restart, not an end): as if it had not begun.
  void reset() noexcept;

  /// Whether the autoscaler connection is up, now and after every change.
  void connected(bool is_connected) noexcept { connected_ = is_connected; }

  /// DRAINED arrived.
  void drained() noexcept { drained_ = true; }

  /// A new user request came in; probes do not count.
  void request(TimePoint now) noexcept { last_request_ = now; }

  [[nodiscard]] bool begun() const noexcept { return begun_.has_value(); }

  /// Whether nothing more will arrive, as far as can be known at `now`.
  [[nodiscard]] bool fenced(TimePoint now) const noexcept;

  /// When to ask fenced() again if nothing happens before; max() when not begun or fenced.
  [[nodiscard]] TimePoint next(TimePoint now) const noexcept;

 private:
  [[nodiscard]] TimePoint due() const noexcept;

  Params params_;
  std::optional<TimePoint> begun_;
  TimePoint last_request_{};
  bool connected_ = false;
  bool drained_ = false;
};

}  // namespace pilotlight
