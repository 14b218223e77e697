#pragma once

#include <optional>
#include <random>
#include <vector>

#include <boost/asio/basic_signal_set.hpp>

#include "common/async/shard.h"
#include "common/control/server.h"
#include "common/net/listener.h"
#include "config/proxy_config.h"
#include "proxy/drain.h"
#include "proxy/pipeline.h"
#include "proxy/reporter.h"
#include "proxy/tls_door.h"

namespace pilotlight::proxy {

/// The sidecar, put together: one data shard with the serving port, the admin port (8022), the
/// stats port (9090), the TLS port where a certificate is mounted, the readiness loop and the
/// connection to the autoscaler; and the way it ends.
///
/// SIGTERM or a hook: probes fail and hops bounce at once; the rest is Drain's story.
class App final : TrafficListener, ReadinessListener, FenceListener, DrainParty {
 public:
  explicit App(const config::ProxyConfig& config);

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until drained or stopped. @return the exit code.
  [[nodiscard]] int run();

 private:
  void became_busy() override { reporter_.rest_ends(); }
  void became_idle() override {
    if (fence_.begun()) drain_.progress();
  }
  void became_quiet() override { quiet_->cancel(); }
  void fence_changed() override { drain_.progress(); }
  void app_ready(Duration listening, Duration ready) override;
  void app_lost() override;
  void drain_changed(bool begun) override;
  void fenced() override;
  [[nodiscard]] std::uint32_t in_flight() const override { return pipeline_.in_flight(); }
  void end(int exit_code) override;

  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> unwind();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> stats(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> metrics(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Gauges gauges();

  const config::ProxyConfig& config_;
  Shard shard_{0, Shard::Posts::own_thread};
  DeadlineQueue deadlines_;
  DeadlineRunner deadline_runner_{deadlines_, shard_.clock()};
  LeaveWatch leaves_{shard_.executor()};
  http::ShardParts http_{shard_.executor(), shard_.clock(), shard_.scope(), deadlines_, leaves_};
  std::mt19937_64 random_;
  Admission admission_;
  http::UpstreamPool app_pool_;
  ConcurrencyMeter meter_;
  DrainFence fence_{DrainFence::Params()};
  Drain drain_;
  std::unique_ptr<LineSink> log_sink_;       // null without a request log
  std::unique_ptr<RequestLog> request_log_;  // null without a request log
  Observer observer_;
  SocketProber prober_{http_};
  Readiness readiness_;
  Pipeline pipeline_;
  Reporter reporter_;
  Listener listener_;
  std::unique_ptr<TlsDoor> tls_door_;  // null: no certificate was mounted
  control::Server admin_;
  control::Server stats_;
  control::Server metrics_;
  asio::basic_signal_set<Executor> signals_;
  std::unique_ptr<Timer> quiet_;  // cancelled when the last connection has ended
  bool ended_ = false;
  int exit_code_ = 0;
};

}  // namespace pilotlight::proxy
