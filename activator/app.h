#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/basic_signal_set.hpp>

#include "activator/control.h"
#include "activator/data_shard.h"
#include "activator/doorkeeper.h"
#include "activator/flags.h"
#include "activator/status.h"
#include "common/control/server.h"

namespace pilotlight::activator {

/// The activator, put together: N data shards on threads of their own, and the control shard on the
/// calling thread, with the connection to the autoscaler, the watches, the admin port (8022) and
/// the metrics port (9090).
///
/// It takes connections once every Deployment is routed; until then they wait in the kernel, so a
/// restart answers nobody with 404. SIGTERM: it is a lame duck first where it was told to (not
/// ready, but serving whoever still comes), then takes none any more, answers what it has, each
/// within its own deadline, and run() returns. A second signal ends it now.
class App final : ControlListener {
 public:
  explicit App(const Flags& flags);
  ~App() override;

  /// Binds every port. @return what could not be bound, or nothing.
  [[nodiscard]] std::optional<std::string> bind();

  /// Serves until drained or stopped. @return the exit code.
  [[nodiscard]] int run();

 private:
  void routed() override;
  void doors_changed(const Doors& doors) override;

  [[nodiscard]] std::optional<std::string> bind_ports();
  [[nodiscard]] std::optional<std::string> bind_gateway();
  [[nodiscard]] Task<> close_ports();
  [[nodiscard]] Task<> watch_signals();
  [[nodiscard]] Task<> drain();
  [[nodiscard]] Task<> be_lame();
  [[nodiscard]] std::uint64_t come() const noexcept;
  [[nodiscard]] Task<> end();
  [[nodiscard]] Task<> settle_data_shards();
  [[nodiscard]] Task<> admin(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> metrics(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<Picture> look();
  void shard_quiet(std::size_t index);
  [[nodiscard]] bool all_quiet() const noexcept;

  Flags flags_;
  std::uint64_t epoch_;
  std::mt19937_64 random_;
  Shard shard_{1000};  // the control shard; its index names no home
  ParkBudget budget_;
  control::EventLog events_;
  Control control_;
  std::vector<std::unique_ptr<DataShard>> data_;
  std::vector<bool> quiet_;
  Doorkeeper doorkeeper_;
  Homes homes_;
  wire::Client autoscaler_;
  kube::Client kube_;
  kube::Watcher deployments_;
  kube::Watcher slices_;
  kube::Watcher pods_;
  kube::Watcher services_;
  control::Server admin_;
  control::Server metrics_;
  asio::basic_signal_set<Executor> signals_;
  std::unique_ptr<Timer> progress_;  // cancelled when the drain may have moved on
  bool accepting_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace pilotlight::activator
