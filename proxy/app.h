#pragma once

#include <boost/asio/basic_signal_set.hpp>
#include <optional>
#include <random>
#include <vector>

#include "common/async/event.h"
#include "common/async/shard.h"
#include "common/control/server.h"
#include "common/net/listener.h"
#include "config/proxy_config.h"
#include "proxy/pipeline.h"
#include "proxy/reporter.h"
#include "proxy/tls_door.h"

namespace pilotlight::proxy {

/// The sidecar, put together: one data shard with the serving port, the admin port (8022), the
/// stats port (9090), the TLS port where a certificate is mounted, the readiness loop and the
/// connection to the autoscaler; and the way it ends.
///
/// SIGTERM or /begin-drain: probes fail and hops bounce at once, the fence is awaited, then the
/// listener closes, what is under way finishes, and run() returns. A second signal ends it now.
class App final : TrafficListener, ReadinessListener, FenceListener {
 public:
  explicit App(const config::ProxyConfig& config);

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until drained or stopped. @return the exit code.
  [[nodiscard]] int run();

 private:
  void became_idle() override {
    if (draining_) progress_->cancel();
  }
  void fence_changed() override { progress_->cancel(); }
  void app_ready(Duration listening, Duration ready) override;
  void app_lost() override;

  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> drain();
  [[nodiscard]] Task<> end();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> stats(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<bool> wait_for_drain(bool may_reset);
  void begin_drain();

  const config::ProxyConfig& config_;
  Shard shard_{0};
  DeadlineQueue deadlines_;
  DeadlineRunner deadline_runner_{deadlines_, shard_.clock()};
  LeaveWatch leaves_{shard_.executor()};
  http::ShardParts http_{shard_.executor(), shard_.clock(), shard_.scope(), deadlines_, leaves_};
  std::mt19937_64 random_;
  Admission admission_;
  http::UpstreamPool app_pool_;
  ConcurrencyMeter meter_;
  DrainFence fence_{DrainFence::Params()};
  Readiness readiness_;
  Pipeline pipeline_;
  Reporter reporter_;
  Listener listener_;
  std::unique_ptr<TlsDoor> tls_door_;  // null: no certificate was mounted
  control::Server admin_;
  control::Server stats_;
  asio::basic_signal_set<Executor> signals_;
  std::unique_ptr<Timer> progress_;  // cancelled when the drain may have moved on
  std::vector<Event*> drain_waiters_;  // hooks that wait for the drain to end
  bool signalled_ = false;
  bool draining_ = false;
  bool drained_ = false;
  bool ended_ = false;
  int exit_code_ = 0;
};

}  // namespace pilotlight::proxy
