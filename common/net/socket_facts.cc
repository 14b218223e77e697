#include "common/net/socket_facts.h"

#include <cerrno>
#include <cstddef>

#include <linux/sockios.h>
#include <linux/tcp.h>  // the kernel's tcp_info: glibc's ends before tcpi_bytes_acked
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/net/system_calls.h"

namespace pilotlight {

std::optional<std::uint64_t> bytes_acked(int descriptor) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) {
    return std::nullopt;
  }
  return info.tcpi_bytes_acked;
}

bool idle_and_open(int descriptor) noexcept {
  char byte = 0;
  ssize_t n = 0;
  do {
    n = pilotlight_recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::size_t unread_bytes(int descriptor) noexcept {
  int bytes = 0;
  if (ioctl(descriptor, SIOCINQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<std::size_t>(bytes);
}

}  // namespace pilotlight
