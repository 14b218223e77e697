#pragma once

#include <optional>
#include <random>
#include <string>

#include <boost/asio/basic_signal_set.hpp>

#include "common/async/shard.h"
#include "common/control/server.h"
#include "common/kube/client.h"
#include "common/kube/elector.h"
#include "controller/admission.h"
#include "controller/certificate_keeper.h"
#include "controller/hook_server.h"
#include "controller/reconciler.h"

namespace pilotlight::controller {

/// What the command line says.
struct Options {
  kube::Access kube;
  AdmissionRules rules;  ///< Without an autoscaler in them: its Service's ClusterIP.
  std::string space = "pilotlight-system";  ///< The namespace that we run in.
  std::vector<std::string> hosts;           ///< Names of the webhook, besides its Service's.
  tcp::endpoint hooks{asio::ip::address_v4::any(), 9443};
  tcp::endpoint admin{asio::ip::address_v4::any(), 8022};
  tcp::endpoint metrics{asio::ip::address_v4::any(), 9090};
};

/// The controller, put together: one shard with the webhook port, the admin port (/healthz,
/// /readyz, /status), the metrics port, the watches of the API, the certificate and the reconciler.
///
/// Any number of replicas may run: all answer webhooks and keep the certificate, the one that holds
/// the Lease does the rest. SIGTERM ends it once what was asked is answered, within 10 s.
class App final : kube::Elector::Listener {
 public:
  explicit App(Options options);

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until a signal. @return the exit code.
  [[nodiscard]] int run();

 private:
  void elected() override { reconciler_.lead(true); }
  void deposed() override { reconciler_.lead(false); }
  void leader_changed(const std::string& holder) override;

  /// The wire of the autoscaler, `ip:port`; "" as long as it is not known.
  [[nodiscard]] std::string autoscaler() const;
  [[nodiscard]] Json answer_pod(const Json& posted) const;
  [[nodiscard]] std::optional<Json> answer(std::string_view path, const Json& posted) const;
  [[nodiscard]] std::optional<Json> answer_counted(std::string_view path, const Json& posted);
  void show(const KeyPair& pair);
  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> unwind();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> metrics(const control::Request& request, control::Reply& reply);
  [[nodiscard]] std::string status() const;

  Options options_;
  Shard shard_{0};
  DeadlineQueue deadlines_;
  DeadlineRunner deadline_runner_{deadlines_, shard_.clock()};
  LeaveWatch leaves_{shard_.executor()};
  http::ShardParts http_{shard_.executor(), shard_.clock(), shard_.scope(), deadlines_, leaves_};
  std::mt19937_64 random_;
  kube::Client kube_;
  HookServer hooks_;
  CertificateKeeper certificate_;
  Reconciler reconciler_;
  kube::Elector elector_;
  control::Server admin_;
  control::Server metrics_;
  Counts reviews_;
  asio::basic_signal_set<Executor> signals_;
};

}  // namespace pilotlight::controller
