// bench-relay LISTEN UPSTREAM: the floor of every proxy measurement.
//
// One thread copies bytes between each client and an upstream connection of its own. It parses
// nothing, counts nothing and limits nothing: what it costs is what the kernel costs.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <list>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/socket.h"

namespace pilotlight::bench {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr int kEvents = 256;
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

struct Pair;

/// One of the two sockets, and what has been read from the other one and not yet been taken.
struct Side {
  Fd socket;
  Pair* pair = nullptr;
  Side* other = nullptr;
  std::string unsent;       // for this socket
  bool read_ended = false;  // its peer has sent FIN
  bool shut = false;        // we have sent FIN
};

struct Pair {
  std::array<Side, 2> sides;
  std::list<Pair>::iterator place;
  bool closed = false;
};

class Relay {
 public:
  Relay(const sockaddr_in& listen, const sockaddr_in& upstream)
      : epoll_(make_epoll()), listener_(listen_on(listen)), upstream_(upstream) {
    watch(epoll_, listener_, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, kEvents> events;
    while (true) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) {
          accept_all();
        } else {
          on_event(*static_cast<Side*>(event.data.ptr), event.events);
        }
      }
      // Only now: a later event of the same batch may have named them.
      for (Pair* pair : dead_) pairs_.erase(pair->place);
      dead_.clear();
    }
  }

 private:
  void accept_all() {
    while (Fd client = accept_from(listener_)) {
      Pair& pair = pairs_.emplace_back();
      pair.place = std::prev(pairs_.end());
      pair.sides[0].socket = std::move(client);
      pair.sides[1].socket = begin_connect(upstream_);
      for (std::size_t i = 0; i < 2; ++i) {
        pair.sides[i].pair = &pair;
        pair.sides[i].other = &pair.sides[1 - i];
      }
      if (!pair.sides[1].socket) {
        close(pair);
        continue;
      }
      for (Side& side : pair.sides) watch(epoll_, side.socket, &side);
    }
  }

  void on_event(Side& side, std::uint32_t events) {
    if (side.pair->closed) return;
    if ((events & EPOLLOUT) != 0 && !side.unsent.empty()) {
      if (!flush(side)) return;
      if (side.unsent.empty()) pump(*side.other, true);
    }
    if (!side.pair->closed && (events & (EPOLLIN | kEnding)) != 0) {
      pump(side, (events & kEnding) != 0);
    }
  }

  /// Copies from this side to the other until nothing is left to read, or the other takes no more.
  /// A short read has emptied the socket, unless the event said that an end follows (`to_the_end`).
  void pump(Side& from, bool to_the_end) {
    Side& to = *from.other;
    while (!from.read_ended && to.unsent.empty()) {
      const ssize_t got = ::recv(from.socket.get(), buffer_.data(), buffer_.size(), 0);
      if (got < 0) {
        if (errno != EAGAIN) close(*from.pair);
        return;
      }
      if (got == 0) {
        from.read_ended = true;
        break;
      }
      const auto bytes = static_cast<std::size_t>(got);
      if (!send_or_keep(to, bytes)) return;
      if (bytes < buffer_.size() && !to_the_end) return;
    }
    if (from.read_ended && to.unsent.empty()) shut(to);
  }

  bool send_or_keep(Side& to, std::size_t bytes) {
    const ssize_t sent = ::send(to.socket.get(), buffer_.data(), bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      close(*to.pair);
      return false;
    }
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (done < bytes) to.unsent.assign(buffer_.data() + done, bytes - done);
    return true;
  }

  bool flush(Side& side) {
    const ssize_t sent =
        ::send(side.socket.get(), side.unsent.data(), side.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return true;
      close(*side.pair);
      return false;
    }
    side.unsent.erase(0, static_cast<std::size_t>(sent));
    if (side.unsent.empty() && side.other->read_ended) shut(side);
    return !side.pair->closed;
  }

  void shut(Side& side) {
    if (!side.shut) ::shutdown(side.socket.get(), SHUT_WR);
    side.shut = true;
    if (side.other->shut) close(*side.pair);
  }

  void close(Pair& pair) {
    if (pair.closed) return;
    pair.closed = true;
    for (Side& side : pair.sides) side.socket.reset();
    dead_.push_back(&pair);
  }

  Fd epoll_;
  Fd listener_;
  sockaddr_in upstream_;
  std::array<char, kBufferBytes> buffer_{};
  std::list<Pair> pairs_;
  std::vector<Pair*> dead_;
};

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  const auto listen = argc == 3 ? parse_address(argv[1]) : std::nullopt;
  const auto upstream = argc == 3 ? parse_address(argv[2]) : std::nullopt;
  if (!listen || !upstream) {
    std::fputs("usage: bench-relay LISTEN UPSTREAM, each ip:port\n", stderr);
    return 78;
  }
  Relay(*listen, *upstream).run();
}
