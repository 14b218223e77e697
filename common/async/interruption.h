#pragma once

#include "common/base/error.h"

namespace pilotlight {

/// Why a request has to stop waiting.
enum class Cause : unsigned char {
  none,
  left,      ///< The client is gone.
  deadline,  ///< Its time is up.
  stopped,   ///< This process ends now.
};

/// Ends whatever one request waits for, from outside. The first cause stays, but for a stop, which
/// comes through after any other: what is left to do then has to end too. A wait registers how
/// to end it (a Target) for as long as it lasts and looks at cause() when it resumes; because all
/// this happens on one shard, looking before each new wait misses nothing.
class Interruption {
 public:
  using Callback = void (*)(void* context);

  /// How to end the present wait. Nests: the inner one counts while it exists.
  class Target {
   public:
    Target(Interruption& owner, Callback callback, void* context) noexcept
        : owner_(owner), callback_(callback), context_(context), outer_(owner.target_) {
      owner_.target_ = this;
    }
    ~Target() { owner_.target_ = outer_; }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

   private:
    friend class Interruption;
    Interruption& owner_;
    Callback callback_;
    void* context_;
    Target* outer_;
  };

  /// Records the cause, unless there is one already that stays, and ends the present wait.
  void raise(Cause cause) noexcept {
    const bool stops = cause == Cause::stopped && cause_ != Cause::stopped;
    if (raised() && !stops) return;
    cause_ = cause;
    if (target_ != nullptr) target_->callback_(target_->context_);
  }

  [[nodiscard]] Cause cause() const noexcept { return cause_; }
  [[nodiscard]] bool raised() const noexcept { return cause_ != Cause::none; }

  /// What a wait that has been ended returns; no error while there is no cause.
  [[nodiscard]] ErrorCode error() const noexcept {
    switch (cause_) {
      case Cause::none: break;
      case Cause::left: return FlowError::downstream_gone;
      case Cause::deadline: return FlowError::deadline_exceeded;
      case Cause::stopped: return FlowError::draining;
    }
    return {};
  }

  /// Forgets a deadline, so that the answer about it can be written.
  void clear_deadline() noexcept {
    if (cause_ == Cause::deadline) cause_ = Cause::none;
  }

 private:
  Target* target_ = nullptr;
  Cause cause_ = Cause::none;
};

}  // namespace pilotlight
