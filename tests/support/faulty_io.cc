#include "tests/support/faulty_io.h"

#include <cerrno>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/base/check.h"

namespace pilotlight::test {
namespace {

FaultyIo* active = nullptr;  // the wrapped calls have no other way to find it

std::uint16_t port_of(const sockaddr* address) {
  if (address->sa_family != AF_INET) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

template <class Ask>
std::uint16_t port(int descriptor, Ask ask) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  return ask(descriptor, where, &size) == 0 ? port_of(where) : std::uint16_t{0};
}

}  // namespace

FaultyIo::FaultyIo(std::size_t at, Kind kind, Ports ports) : at_(at), kind_(kind), ports_(ports) {
  PILOTLIGHT_CHECK(active == nullptr);
  active = this;
}

FaultyIo::~FaultyIo() { active = nullptr; }

bool FaultyIo::count(int descriptor) {
  if (dead_.contains(descriptor)) return true;
  if (calls_++ != at_) return false;
  if (!harmless()) {
    dead_.insert(descriptor);
    ::shutdown(descriptor, SHUT_RDWR);
  }
  return true;
}

bool FaultyIo::hits(int descriptor) {
  const int before = errno;
  const bool ours = port(descriptor, getsockname) == ports_.front ||
                    port(descriptor, getpeername) == ports_.app || dead_.contains(descriptor);
  errno = before;
  return ours && count(descriptor);
}

bool FaultyIo::hits_connect(int descriptor, std::uint16_t port) {
  return port == ports_.app && count(descriptor);
}

bool FaultyIo::hits_accept(int descriptor) {
  return port(descriptor, getsockname) == ports_.front && calls_++ == at_ && !harmless();
}

namespace {

int fail(int error) {
  errno = error;
  return -1;
}

/// The result of a call that moves bytes.
template <class Whole>
ssize_t move(int descriptor, bool reads, Whole whole) {
  if (active == nullptr || !active->hits(descriptor)) return whole();
  switch (active->kind()) {
    case FaultyIo::Kind::reset: return fail(ECONNRESET);
    case FaultyIo::Kind::broken_pipe: return fail(reads ? ECONNRESET : EPIPE);
    case FaultyIo::Kind::end_of_file: return reads ? 0 : fail(EPIPE);
    case FaultyIo::Kind::interrupted: return fail(EINTR);
  }
  return whole();
}

}  // namespace

extern "C" {

ssize_t __real_recv(int, void*, std::size_t, int);
ssize_t __real_send(int, const void*, std::size_t, int);
ssize_t __real_recvmsg(int, msghdr*, int);
ssize_t __real_sendmsg(int, const msghdr*, int);
ssize_t __real_pilotlight_recv(int, void*, std::size_t, int) noexcept;
ssize_t __real_pilotlight_send(int, const void*, std::size_t, int) noexcept;
ssize_t __real_pilotlight_sendmsg(int, const msghdr*, int) noexcept;
int __real_connect(int, const sockaddr*, socklen_t);
int __real_accept(int, sockaddr*, socklen_t*);
int __real_epoll_ctl(int, int, int, epoll_event*);
int __real_close(int);

ssize_t __wrap_recv(int s, void* to, std::size_t size, int flags) {
  return move(s, true, [&] { return __real_recv(s, to, size, flags); });
}

ssize_t __wrap_send(int s, const void* from, std::size_t size, int flags) {
  return move(s, false, [&] { return __real_send(s, from, size, flags); });
}

ssize_t __wrap_recvmsg(int s, msghdr* message, int flags) {
  return move(s, true, [&] { return __real_recvmsg(s, message, flags); });
}

ssize_t __wrap_sendmsg(int s, const msghdr* message, int flags) {
  return move(s, false, [&] { return __real_sendmsg(s, message, flags); });
}

ssize_t __wrap_pilotlight_recv(int s, void* to, std::size_t size, int flags) noexcept {
  return move(s, true, [&] { return __real_pilotlight_recv(s, to, size, flags); });
}

ssize_t __wrap_pilotlight_send(int s, const void* from, std::size_t size, int flags) noexcept {
  return move(s, false, [&] { return __real_pilotlight_send(s, from, size, flags); });
}

ssize_t __wrap_pilotlight_sendmsg(int s, const msghdr* message, int flags) noexcept {
  return move(s, false, [&] { return __real_pilotlight_sendmsg(s, message, flags); });
}

int __wrap_connect(int s, const sockaddr* address, socklen_t size) {
  if (active != nullptr && active->hits_connect(s, port_of(address)) && !active->harmless()) {
    return fail(active->kind() == FaultyIo::Kind::reset ? ECONNREFUSED : EHOSTUNREACH);
  }
  return __real_connect(s, address, size);
}

int __wrap_accept(int s, sockaddr* address, socklen_t* size) {
  if (active != nullptr && active->hits_accept(s)) {
    return fail(active->kind() == FaultyIo::Kind::reset ? ECONNABORTED : EMFILE);
  }
  return __real_accept(s, address, size);
}

int __wrap_epoll_ctl(int epoll, int operation, int s, epoll_event* event) {
  if (operation == EPOLL_CTL_ADD && active != nullptr && active->hits(s) && !active->harmless()) {
    return fail(ENOSPC);
  }
  return __real_epoll_ctl(epoll, operation, s, event);
}

int __wrap_close(int s) {
  if (active != nullptr) active->closed(s);
  return __real_close(s);
}

}  // extern "C"

}  // namespace pilotlight::test
