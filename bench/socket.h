#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <netinet/in.h>

namespace pilotlight::bench {

/// Says what failed, with errno's text, and ends the program: a measuring tool has nothing to save.
[[noreturn]] void die(std::string_view what);

/// A file descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    other.reset();
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// `ip:port`, IPv4.
[[nodiscard]] std::optional<sockaddr_in> parse_address(std::string_view text);

/// A listening socket that does not block; dies when the address is taken.
[[nodiscard]] Fd listen_on(const sockaddr_in& address);

/// The next waiting connection, not blocking, without Nagle; empty when there is none.
[[nodiscard]] Fd accept_from(const Fd& listener);

/// Begins to connect, from that local address if one is given. Empty when it failed at once.
[[nodiscard]] Fd begin_connect(const sockaddr_in& to, std::optional<in_addr> from = std::nullopt);

[[nodiscard]] Fd make_epoll();

/// Edge-triggered, both directions and the peer's FIN, for as long as the socket lives.
void watch(const Fd& epoll, const Fd& socket, void* owner);

}  // namespace pilotlight::bench
