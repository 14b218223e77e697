#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/flow/drain.h"

namespace pilotlight::proxy {

/// What a drain acts on.
class DrainParty {
 public:
  virtual ~DrainParty() = default;
  /// The fence has begun, or was called off: probes and hops see it, others have to be told.
  virtual void drain_changed(bool begun) = 0;
  /// Nothing new arrives: accept no connection any more, let the idle ones go.
  virtual void fenced() = 0;
  /// Requests and tunnels under way.
  [[nodiscard]] virtual std::uint32_t in_flight() const = 0;
  /// End the process with this exit code.
  virtual void end(int exit_code) = 0;
};

/// How a sidecar ends.
///
/// SIGTERM begins the drain, a second signal ends the process at once with 1. The hooks join the
/// same drain and wait until it is over: ours (/begin-drain) starts one that stays, Knative's
/// (/wait-for-drain) one that is called off when no signal comes within 1 s: then it was a
/// container's restart, not the replica's end. The drain: once the fence says that nothing new
/// arrives, stop accepting; wait for what is under way, tunnels included, up to `finish_limit`; and
/// once signalled, end with 0. Lives on the data shard.
class Drain {
 public:
  struct Params {
    Duration signal_patience = std::chrono::seconds(1);
    Duration finish_limit = std::chrono::minutes(5);
  };
  enum class Hook : std::uint8_t { wait_for_drain, begin_drain };

  Drain(Clock& clock, DrainFence& fence, DrainParty& party, Params params);

  /// Drives the drain until the process ends or stop().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  /// SIGTERM or SIGINT.
  void signal();
  /// A hook's request until its answer is out: the process does not end before that.
  class Visit {
   public:
    explicit Visit(Drain& drain) noexcept : drain_(drain) { ++drain_.visits_; }
    ~Visit() {
      --drain_.visits_;
      drain_.progress();
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Drain& drain_;
  };

  /// What a hook waits for: the end of the drain, or that it was called off. Needs a Visit.
  [[nodiscard]] Task<> hook(Hook which);
  /// The fence or the number of requests under way may have changed.
  void progress() noexcept { progress_->cancel(); }

 private:
  void begin();
  void keep() noexcept;
  void call_off();
  void wake() noexcept;
  /// Takes every step that can be taken now. @return until when nothing more will happen.
  [[nodiscard]] TimePoint advance();

  Clock& clock_;
  DrainFence& fence_;
  DrainParty& party_;
  Params params_;
  std::unique_ptr<Timer> progress_;
  std::vector<Timer*> hooks_;  // of those who wait in hook()
  std::size_t visits_ = 0;
  TimePoint finish_by_{};
  bool kept_ = false;  // by a signal or our hook: cannot be called off
  bool signalled_ = false;
  bool fenced_ = false;
  bool drained_ = false;
  bool stopped_ = false;
};

}  // namespace pilotlight::proxy
