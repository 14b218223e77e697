#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "common/async/scope.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight::bench {

/// As much of a Kubernetes API server as the autoscaler talks to, on one TCP port: it lists the
/// Deployments that it was given, holds watches open without ever telling of a change, and takes
/// PATCHes of their scale. It notes when each arrived, and can go wrong in every way that a real
/// one does. One shard.
class StubApi {
 public:
  struct Deployment {
    std::string name_space = "default";
    std::string name;  ///< Of service, revision and Deployment alike.
    std::int32_t replicas = 0;
    std::uint32_t container_concurrency = 1;
    std::map<std::string, std::string> annotations = {};
  };

  /// One PATCH of a scale that has arrived whole.
  struct Patch {
    std::string name;
    std::int32_t replicas = 0;
    TimePoint arrived{};
    bool taken = false;
  };

  struct Fault {
    enum class Kind : std::uint8_t {
      status,       ///< Answered with `status`; not taken.
      silence,      ///< Never answered; not taken.
      reset,        ///< The connection is reset; not taken.
      lost_answer,  ///< Taken, but the connection is reset in place of an answer.
    };
    Kind kind = Kind::status;
    unsigned status = 500;
    std::optional<unsigned> retry_after_seconds;
    std::string message = {};  ///< Of the Status in the answer.
  };
  /// What goes wrong with that PATCH; none: nothing.
  using Trouble = std::function<std::optional<Fault>(const Patch&)>;

  StubApi(Executor executor, Clock& clock);
  ~StubApi();
  StubApi(const StubApi&) = delete;
  StubApi& operator=(const StubApi&) = delete;

  void add(Deployment deployment);
  /// How long every PATCH is thought about before it is answered.
  void set_latency(Duration latency) noexcept { latency_ = latency; }
  void set_trouble(Trouble trouble) { trouble_ = std::move(trouble); }
  /// Called for every PATCH as it arrives.
  void on_patch(std::function<void(const Patch&)> what) { on_patch_ = std::move(what); }

  [[nodiscard]] Result<asio::ip::tcp::endpoint> listen(const asio::ip::tcp::endpoint& where);
  [[nodiscard]] Task<> stop();

  /// Ends every connection that waits for a request, as a server does with idle ones.
  void close_idle() noexcept;

  /// Called for every watch that is opened, with what it asked for.
  void on_watch(std::function<void(std::string_view target)> what) { on_watch_ = std::move(what); }

  [[nodiscard]] const std::vector<Patch>& patches() const noexcept { return patches_; }
  /// The number that the Deployment asks for now.
  [[nodiscard]] std::optional<std::int32_t> replicas(const std::string& name) const;
  /// Connections that have carried a PATCH.
  [[nodiscard]] std::size_t patch_connections() const noexcept { return patch_connections_; }

 private:
  class Connection;
  using Connections = std::list<std::unique_ptr<Connection>>;
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

  void accept(Socket socket);
  [[nodiscard]] Task<> serve(Connections::iterator place);
  /// @return whether the connection can take another request.
  [[nodiscard]] Task<bool> answer(Connection& connection);
  [[nodiscard]] Task<bool> take_patch(Connection& connection, const std::string& name);
  [[nodiscard]] std::string list(std::string_view target) const;

  Executor executor_;
  Clock& clock_;
  Duration latency_{};
  Trouble trouble_;
  std::function<void(const Patch&)> on_patch_;
  std::function<void(std::string_view)> on_watch_;
  std::map<std::string, Deployment> deployments_;
  std::vector<Patch> patches_;
  std::size_t patch_connections_ = 0;
  Connections connections_;
  Scope scope_;
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace pilotlight::bench
