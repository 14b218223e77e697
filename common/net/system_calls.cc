#include "common/net/system_calls.h"

#include <sys/syscall.h>
#include <unistd.h>

ssize_t pilotlight_recv(int descriptor, void* to, std::size_t size, int flags) noexcept {
  return ::syscall(SYS_recvfrom, descriptor, to, size, flags, nullptr, nullptr);
}

ssize_t pilotlight_send(int descriptor, const void* from, std::size_t size, int flags) noexcept {
  return ::syscall(SYS_sendto, descriptor, from, size, flags, nullptr, 0);
}

ssize_t pilotlight_sendmsg(int descriptor, const msghdr* message, int flags) noexcept {
  return ::syscall(SYS_sendmsg, descriptor, message, flags);
}
