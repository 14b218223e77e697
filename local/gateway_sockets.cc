#include "local/gateway_sockets.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

constexpr std::uint16_t kLastPort = 65535;

std::string show(const asio::ip::tcp::endpoint& where) {
  const std::string address = where.address().to_string();
  return where.address().is_v6() ? fmt::format("[{}]:{}", address, where.port())
                                 : fmt::format("{}:{}", address, where.port());
}

/// Listens, and corrects the port of `where` if it was 0. @return the descriptor or -1 with errno.
int listen_on(asio::ip::tcp::endpoint& where) {
  const int fd = socket(where.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto length = static_cast<socklen_t>(where.capacity());
  if (bind(fd, where.data(), static_cast<socklen_t>(where.size())) == 0 && listen(fd, 4096) == 0 &&
      getsockname(fd, where.data(), &length) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

OrReason<GatewaySockets> GatewaySockets::open(const asio::ip::tcp::endpoint& gateway,
                                              const std::vector<std::string>& services) {
  GatewaySockets opened;
  const auto add = [&](const std::string& name, const asio::ip::tcp::endpoint& wanted) {
    Socket socket;
    socket.name = name;
    socket.where = wanted;
    socket.fd = listen_on(socket.where);
    if (socket.fd >= 0) opened.sockets_.push_back(socket);
    return socket.fd >= 0;
  };
  const auto failure = [](const std::string& what, const asio::ip::tcp::endpoint& where) {
    return Reason::because(fmt::format("cannot listen on {} for {}: {}; choose another --listen",
                                       show(where), what, std::strerror(errno)));
  };
  if (!add("gateway", gateway)) return failure("the gateway", gateway);
  asio::ip::tcp::endpoint next = gateway;
  for (const std::string& service : services) {
    if (gateway.port() != 0) {
      if (next.port() == kLastPort) {
        return Reason::because(fmt::format(
            "no port after {} for service {}; choose another --listen", kLastPort, service));
      }
      next.port(static_cast<std::uint16_t>(next.port() + 1));
    }
    if (!add(service, next)) return failure("service " + service, next);
  }
  return opened;
}

GatewaySockets::~GatewaySockets() { close(); }

std::vector<int> GatewaySockets::fds() const {
  std::vector<int> fds;
  for (const Socket& socket : sockets_) fds.push_back(socket.fd);
  return fds;
}

std::string GatewaySockets::names() const {
  std::string names;
  for (const Socket& socket : sockets_) names += (names.empty() ? "" : ":") + socket.name;
  return names;
}

void GatewaySockets::close() {
  for (const Socket& socket : sockets_) ::close(socket.fd);
  sockets_.clear();
}

}  // namespace pilotlight::local
