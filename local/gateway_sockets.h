#pragma once

#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/task.h"
#include "local/state_dir.h"

namespace pilotlight::local {

/// The listening sockets of the gateway: one with host routing, one per service. They belong to
/// `up`, so that connects are taken by the kernel while the activator restarts.
class GatewaySockets {
 public:
  struct Socket {
    std::string name;  ///< "gateway", or the service, with its namespace if that is not "default".
    asio::ip::tcp::endpoint where;
    int fd = -1;
  };

  GatewaySockets() = default;
  ~GatewaySockets();
  GatewaySockets(GatewaySockets&& other) noexcept : sockets_(std::move(other.sockets_)) {
    other.sockets_.clear();
  }
  GatewaySockets& operator=(GatewaySockets&&) = delete;

  /// Listens on `gateway`, and for each service on the next port after it (any free port each, if
  /// the gateway's is 0). The reason names the port that is taken.
  [[nodiscard]] static OrReason<GatewaySockets> open(const asio::ip::tcp::endpoint& gateway,
                                                     const std::vector<std::string>& services);

  [[nodiscard]] const std::vector<Socket>& all() const noexcept { return sockets_; }
  [[nodiscard]] std::vector<int> fds() const;
  /// LISTEN_FDNAMES.
  [[nodiscard]] std::string names() const;

  /// Refuses what comes from now on.
  void close();

 private:
  std::vector<Socket> sockets_;
};

}  // namespace pilotlight::local
