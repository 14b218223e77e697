#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <boost/asio/basic_signal_set.hpp>

#include "autoscaler/kube_feed.h"
#include "autoscaler/loop.h"
#include "autoscaler/wire_door.h"
#include "common/async/shard.h"
#include "common/control/server.h"
#include "common/kube/client.h"
#include "common/kube/elector.h"
#include "common/wire/server.h"

namespace pilotlight::autoscaler {

/// A Lease of the cluster.
struct LeaseName {
  std::string space;
  std::string name;
};

/// What the command line says.
struct Options {
  kube::Access kube;
  std::string token;           ///< What a HELLO must carry; "" accepts any.
  bool review_tokens = false;  ///< Instead, the API server says whose a HELLO's token is.
  std::string wire_tls;        ///< Folder with tls.crt and tls.key of the wire; "": plain TCP.
  std::string space = "pilotlight-system";  ///< The namespace that we and the activators run in.
  asio::ip::address address = asio::ip::address_v4::loopback();
  config::AutoscalerDefaults defaults;  ///< Of revisions that do not say otherwise.
  std::string decision_file;            ///< Where decisions are kept; "" for memory only.
  std::size_t descriptors = 1024;       ///< How many this process may have.
  std::string recording;                ///< Where whole runs are kept; "" for nowhere.
  std::optional<LeaseName> lease;       ///< Who holds it decides; none: this process does.
  std::string advertise;                ///< With a lease: the IP where peers reach the wire.
  std::uint16_t wire_port = 9444;       ///< 0 picks one.
  std::uint16_t admin_port = 8022;      ///< 0 picks one.
  std::uint16_t metrics_port = 9090;    ///< 0 picks one.
};

/// The autoscaler, put together: one shard with the wire port, the admin port (/status, /events,
/// /healthz), the metrics port, the watches of the API and the Loop.
///
/// With a lease, any number of replicas may run: one decides, the others know what the API says and
/// send peers to that one. SIGTERM or SIGINT ends it within moments: it holds nothing that a
/// successor needs. It gives the lease back as soon as nothing of its own is on its way to the API,
/// waits up to 0.5 s for a successor, and sends its peers there. A second signal ends it at once.
/// One that could not renew its lease ends as well: what it knows is no longer its to act upon.
class App final : kube::Elector::Listener {
 public:
  explicit App(Options options);

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until a signal. @return the exit code.
  [[nodiscard]] int run();

 private:
  void elected() override;
  void deposed() override;
  void leader_changed(const std::string& holder) override;

  void stand_for_election(const tcp::endpoint& wire);
  [[nodiscard]] TimePoint fence() const;
  [[nodiscard]] Task<> watch_deployments();
  [[nodiscard]] Task<> watch_warnings();
  [[nodiscard]] Task<> hand_over();
  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> end();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> metrics(const control::Request& request, control::Reply& reply);

  Options options_;
  Shard shard_{0};
  Scope ending_{shard_.executor()};  // not the shard's: it waits for that one
  std::uint64_t epoch_;
  std::mt19937_64 random_;
  kube::Client kube_;
  KubeTarget target_;
  DecisionFile decisions_;
  DecisionFile recording_;
  Loop loop_;
  DeploymentFeed deployments_;
  SliceFeed slices_;
  WireDoor door_;
  std::unique_ptr<Timer> pods_wait_;
  PodFeed pods_;
  std::unique_ptr<Timer> rivals_wait_;
  RivalFeed rivals_;
  PathTeller path_teller_;
  PathFeed paths_;
  PulledFeed pulled_;
  WarningFeed warnings_;
  kube::Watcher deployment_watch_;
  kube::Watcher slice_watch_;
  kube::Watcher pod_watch_;
  kube::Watcher rival_watch_;
  kube::Watcher path_watch_;
  kube::Watcher pulled_watch_;
  kube::Watcher warning_watch_;
  wire::Server wire_;
  control::Server admin_;
  control::Server metrics_;
  asio::basic_signal_set<Executor> signals_;
  std::optional<kube::Elector> elector_;
  std::string identity_;  // in the lease: where our wire is
  bool ends_ = false;
  int code_ = 0;
};

}  // namespace pilotlight::autoscaler
