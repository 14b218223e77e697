// bench-answer-server LISTEN: the app behind every measured proxy.
//
// One thread answers HTTP/1.1 with as little work as the kernel allows, so that what is measured is
// the proxy: any path gets 110 bytes, /bytes/N gets N, /events/COUNT/MS gets an event stream of
// COUNT events, one every MS milliseconds. Bodies are read and dropped. Pipelining is not served.

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "bench/message_reader.h"
#include "bench/socket.h"

namespace pilotlight::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::uint64_t kDefaultBytes = 110;
constexpr int kEvents = 256;
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/// The numbers between the slashes of a path after its prefix: /events/100/10 -> 100, 10.
std::vector<std::uint64_t> numbers_after(std::string_view prefix, std::string_view path) {
  std::vector<std::uint64_t> numbers;
  if (!path.starts_with(prefix)) return numbers;
  const char* at = path.data() + prefix.size();
  const char* const end = path.data() + path.size();
  for (std::uint64_t number = 0; at < end; ++at) {
    const auto [next, ec] = std::from_chars(at, end, number);
    if (ec != std::errc()) break;
    numbers.push_back(number);
    at = next;
  }
  return numbers;
}

struct Connection {
  explicit Connection(Fd fd) : socket(std::move(fd)) {}

  Fd socket;
  MessageReader request{MessageReader::Kind::request};
  std::string unsent;
  std::uint64_t body_left = 0;  // filler bytes that follow `unsent`
  std::uint64_t events_left = 0;
  Clock::duration event_every{};
  Clock::time_point event_due;
  bool answering = false;
  bool closing = false;
};

class Server {
 public:
  explicit Server(const sockaddr_in& listen)
      : epoll_(make_epoll()), listener_(listen_on(listen)), block_(kBlockBytes, 'x') {
    watch(epoll_, listener_, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, kEvents> events;
    while (true) {
      const int timeout_ms = streams_.empty() ? -1 : 1;
      const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, timeout_ms);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) {
          accept_all();
        } else {
          on_event(*static_cast<Connection*>(event.data.ptr), event.events);
        }
      }
      if (!streams_.empty()) send_due_events(Clock::now());
      for (Connection* connection : dead_) delete connection;
      dead_.clear();
    }
  }

 private:
  void accept_all() {
    while (Fd client = accept_from(listener_)) {
      // Owned by the epoll set: it lives until close().
      auto* connection = new Connection(std::move(client));
      watch(epoll_, connection->socket, connection);
    }
  }

  void on_event(Connection& connection, std::uint32_t events) {
    if (connection.closing) return;
    if ((events & EPOLLOUT) != 0 && connection.answering) send(connection);
    if (!connection.closing && (events & (EPOLLIN | kEnding)) != 0) {
      read(connection, (events & kEnding) != 0);
    }
  }

  void read(Connection& connection, bool to_the_end) {
    while (!connection.closing) {
      const ssize_t got = ::recv(connection.socket.get(), buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return close(connection);
      const auto bytes = static_cast<std::size_t>(got);
      const std::size_t taken = connection.request.feed(std::string_view(buffer_.data(), bytes));
      if (taken < bytes || connection.request.failed()) {
        std::fputs("bench-answer-server: not one request at a time\n", stderr);
        return close(connection);
      }
      if (connection.request.complete()) answer(connection);
      if (bytes < buffer_.size() && !to_the_end) return;
    }
  }

  void answer(Connection& connection) {
    const std::string_view path = connection.request.path();
    const auto events = numbers_after("/events/", path);
    const auto bytes = numbers_after("/bytes/", path);
    if (events.size() == 2) {
      connection.unsent =
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
          "Transfer-Encoding: chunked\r\n\r\n";
      connection.events_left = events[0];
      connection.event_every = std::chrono::milliseconds(events[1]);
      connection.event_due = Clock::now();
      streams_.insert(&connection);
    } else {
      connection.body_left = bytes.size() == 1 ? bytes[0] : kDefaultBytes;
      connection.unsent = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                          std::to_string(connection.body_left) + "\r\n";
      if (connection.request.closes()) connection.unsent += "Connection: close\r\n";
      connection.unsent += "\r\n";
    }
    connection.answering = true;
    send(connection);
  }

  void send(Connection& connection) {
    while (!connection.unsent.empty() || connection.body_left > 0) {
      const std::size_t filler =
          static_cast<std::size_t>(std::min<std::uint64_t>(connection.body_left, block_.size()));
      std::array<iovec, 2> parts{iovec{connection.unsent.data(), connection.unsent.size()},
                                 iovec{block_.data(), filler}};
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(connection.socket.get(), &message, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) return close(connection);
      const auto done = static_cast<std::size_t>(sent);
      const std::size_t of_head = std::min(done, connection.unsent.size());
      connection.unsent.erase(0, of_head);
      connection.body_left -= done - of_head;
    }
    if (connection.events_left == 0) finish(connection);
  }

  void finish(Connection& connection) {
    if (connection.request.closes()) return close(connection);
    connection.answering = false;
    connection.request.next();
  }

  void send_due_events(Clock::time_point now) {
    const std::vector<Connection*> streams(streams_.begin(), streams_.end());
    for (Connection* connection : streams) {
      if (connection->event_due > now) continue;
      connection->event_due += connection->event_every;
      --connection->events_left;
      connection->unsent += "40\r\ndata: " + std::string(56, 'x') + "\n\n\r\n";
      if (connection->events_left == 0) {
        connection->unsent += "0\r\n\r\n";
        streams_.erase(connection);
      }
      send(*connection);
    }
  }

  void close(Connection& connection) {
    connection.closing = true;
    connection.socket.reset();
    streams_.erase(&connection);
    dead_.push_back(&connection);  // a later event of this batch may still name it
  }

  Fd epoll_;
  Fd listener_;
  std::string block_;
  std::array<char, kBufferBytes> buffer_{};
  std::unordered_set<Connection*> streams_;
  std::vector<Connection*> dead_;
};

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  const auto listen = argc == 2 ? parse_address(argv[1]) : std::nullopt;
  if (!listen) {
    std::fputs("usage: bench-answer-server LISTEN (ip:port)\n", stderr);
    return 78;
  }
  // On the heap for its read buffer.
  std::make_unique<Server>(*listen)->run();
}
