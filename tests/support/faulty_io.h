#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

namespace pilotlight::test {

/// Makes one system call on the sockets of a proxy under test fail, counted from the moment this is
/// made: the n-th of recv, recvmsg, send, sendmsg (ours and glibc's), connect, accept and
/// epoll_ctl(ADD). A socket that has failed stays failed, and its peer sees it close.
///
/// Needs to be linked with the `--wrap` options of tests/proxy/CMakeLists.txt. The proxy's sockets
/// are told from those of the client and the app in the same process by their ports: it accepts on
/// `front` and connects to `app`. One at a time.
class FaultyIo {
 public:
  enum class Kind : std::uint8_t {
    reset,        ///< ECONNRESET; ECONNREFUSED of a connect, ECONNABORTED of an accept.
    broken_pipe,  ///< EPIPE of a send, ECONNRESET of what reads; EMFILE of an accept.
    end_of_file,  ///< 0 of what reads, EPIPE of a send.
    interrupted,  ///< No failure: EINTR, once. Short reads and writes are not here: no kernel makes
                  ///< them while there are bytes, or room, and the proxy relies on it (ADR 0009).
  };
  struct Ports {
    std::uint16_t front = 0;
    std::uint16_t app = 0;
  };

  FaultyIo(std::size_t at, Kind kind, Ports ports);
  ~FaultyIo();
  FaultyIo(const FaultyIo&) = delete;
  FaultyIo& operator=(const FaultyIo&) = delete;

  /// Whether the n-th call has come.
  [[nodiscard]] bool fired() const noexcept { return calls_ > at_; }
  [[nodiscard]] bool harmless() const noexcept { return kind_ == Kind::interrupted; }

  /// For the wrapped calls: whether this call on that socket fails, and how.
  [[nodiscard]] bool hits(int descriptor);
  [[nodiscard]] bool hits_connect(int descriptor, std::uint16_t port);
  /// A failing accept leaves the listener alive.
  [[nodiscard]] bool hits_accept(int descriptor);
  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  void closed(int descriptor) { dead_.erase(descriptor); }

 private:
  [[nodiscard]] bool count(int descriptor);

  std::size_t at_;
  Kind kind_;
  Ports ports_;
  std::size_t calls_ = 0;
  std::set<int> dead_;
};

}  // namespace pilotlight::test
