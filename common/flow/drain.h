#pragma once

#include <optional>

#include "common/base/clock.h"

namespace pilotlight {

/// When a replica that has been told to end may stop taking requests: the fence, as a pure state
/// machine.
///
/// Where all traffic comes through activators of ours and the autoscaler is connected, the answer
/// is exact: DRAINED says that no activator will send anything more. A client that came without an
/// activator, Knative's included, is bound by no such promise: from then on, and while nobody is
/// connected, Knative's guess has to do: 30 s without a new request. The autoscaler does not say
/// DRAINED where the Service leads such clients here. Requests that are under way are not its
/// business: who fences waits for them.
class DrainFence {
 public:
  struct Params {
    Duration quiet = std::chrono::seconds(30);
  };

  explicit DrainFence(Params params) noexcept : params_(params) {}

  /// The replica was told to end. Later calls change nothing.
  void begin(TimePoint now) noexcept;

  /// The drain was called off (a container restart, not an end): as if it had not begun.
  void reset() noexcept;

  /// The autoscaler connection is gone, and what was said over it does not hold any more.
  void disconnected() noexcept { drained_ = false; }

  /// DRAINED arrived.
  void drained() noexcept { drained_ = true; }

  /// A new user request came in, from an activator of ours (`hop`) or not; probes do not count.
  void request(TimePoint now, bool hop) noexcept {
    last_request_ = now;
    direct_ = direct_ || !hop;
  }

  [[nodiscard]] bool begun() const noexcept { return begun_.has_value(); }

  /// Whether nothing more will arrive, as far as can be known at `now`.
  [[nodiscard]] bool fenced(TimePoint now) const noexcept;

  /// When to ask fenced() again if nothing happens before; max() when not begun or fenced.
  [[nodiscard]] TimePoint next(TimePoint now) const noexcept;

 private:
  [[nodiscard]] TimePoint quiet_until() const noexcept;

  Params params_;
  std::optional<TimePoint> begun_;
  TimePoint last_request_{};
  bool drained_ = false;
  bool direct_ = false;  // a client has come past the activators: it may come again
};

}  // namespace pilotlight
