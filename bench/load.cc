#include "bench/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/message_reader.h"
#include "bench/socket.h"

namespace pilotlight::bench {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr int kEvents = 512;
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/// New connections come from many addresses, or their ports would run out in TIME_WAIT.
constexpr std::uint32_t kSources = 200;
constexpr std::uint32_t kFirstSource = 0x7f630101;    // 127.99.1.1
constexpr auto kPatience = std::chrono::seconds(60);  // for a window's first whole request

Clock::duration seconds(double value) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
}

double cpu_seconds_of(const std::vector<pid_t>& pids) {
  double seconds = 0;
  for (const pid_t pid : pids) {
    clockid_t clock = 0;
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
      die("CPU clock of process " + std::to_string(pid));
    }
    seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }
  return seconds;
}

struct Connection {
  Fd socket;
  MessageReader answer{MessageReader::Kind::answer};
  std::size_t head_sent = 0;
  std::uint64_t body_left = 0;
  Clock::time_point begun;
  std::uint64_t next_due = 0;  // at a rate: the number of its oldest request that is not sent
  std::uint64_t due = 0;       // and how many such there are
  bool busy = false;
};

class Generator {
 public:
  explicit Generator(const LoadOptions& options)
      : options_(options),
        epoll_(make_epoll()),
        block_(kBufferBytes, 'y'),
        connections_(options.connections) {
    head_ = (options.body_bytes > 0 ? "POST " : "GET ") + options.path +
            " HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench-load\r\nAccept: */*\r\n";
    if (options.body_bytes > 0) {
      head_ += "Content-Type: application/json\r\nContent-Length: " +
               std::to_string(options.body_bytes) + "\r\n";
    }
    if (options.reconnect) head_ += "Connection: close\r\n";
    head_ += "\r\n";
  }

  LoadResult run() {
    start_ = Clock::now();
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].next_due = i;
      connect(connections_[i]);
      if (options_.rate <= 0) begin(connections_[i], Clock::now());
    }
    if (options_.requests > 0 || options_.hold) open_window(start_);
    while (!done_) turn();
    return std::move(result_);
  }

 private:
  void turn() {
    std::array<epoll_event, kEvents> events;
    timespec timeout{0, 50'000'000};
    if (options_.rate > 0) {
      const auto left = std::max(due_at(next_due_) - Clock::now(), Clock::duration(0));
      timeout.tv_nsec = std::min<long>(timeout.tv_nsec, left.count());
    }
    const int count = ::epoll_pwait2(epoll_.get(), events.data(), kEvents, &timeout, nullptr);
    const auto now = Clock::now();
    if (options_.seconds > 0) {
      if (!in_window_ && now >= start_ + seconds(options_.warm_up_seconds)) open_window(now);
      if (in_window_ && is_over(now)) return close_window(now);
    }
    for (int i = 0; i < count && !done_; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_event(*static_cast<Connection*>(event.data.ptr), event.events);
    }
    if (options_.rate > 0) send_due(Clock::now());
  }

  Clock::time_point due_at(std::uint64_t number) const {
    return start_ + seconds(static_cast<double>(number) / options_.rate);
  }

  void send_due(Clock::time_point now) {
    for (; due_at(next_due_) <= now; ++next_due_) {
      Connection& connection = connections_[next_due_ % connections_.size()];
      ++connection.due;
      if (!connection.busy) begin_due(connection);
    }
  }

  void begin_due(Connection& connection) {
    const auto at = due_at(connection.next_due);
    connection.next_due += connections_.size();
    --connection.due;
    begin(connection, at);
  }

  void open_window(Clock::time_point now) {
    in_window_ = true;
    opened_ = now;
    result_.latencies_us.reserve(1 << 20);
    if (!options_.cpu_of.empty()) cpu_before_ = cpu_seconds_of(options_.cpu_of);
  }

  /// Its length counts from when it was really opened, and a window in which somebody stood still
  /// is as long as it takes: nothing is measured without a request that began and ended in it.
  bool is_over(Clock::time_point now) const {
    const auto end = opened_ + seconds(options_.seconds);
    return now >= (has_whole_request_ ? end : end + kPatience);
  }

  void close_window(Clock::time_point now) {
    done_ = true;
    result_.seconds = std::chrono::duration<double>(now - opened_).count();
    if (!options_.cpu_of.empty()) {
      result_.cpu_seconds = cpu_seconds_of(options_.cpu_of) - cpu_before_;
    }
  }

  void connect(Connection& connection) {
    std::optional<in_addr> from;
    if (options_.reconnect) from = in_addr{htonl(kFirstSource + connects_++ % kSources)};
    connection.answer.next();
    connection.socket = begin_connect(options_.target, from);
    if (!connection.socket) die("connect");
    watch(epoll_, connection.socket, &connection);
  }

  void begin(Connection& connection, Clock::time_point at) {
    if (options_.requests > 0 && begun_ == options_.requests) return;
    ++begun_;
    connection.begun = at;
    connection.busy = true;
    connection.head_sent = 0;
    connection.body_left = options_.body_bytes;
    send(connection);
  }

  /// Sends what the socket takes; what it does not take (also: not yet connected) waits for an
  /// edge.
  void send(Connection& connection) {
    while (connection.head_sent < head_.size() || connection.body_left > 0) {
      const auto body = std::min<std::uint64_t>(connection.body_left, block_.size());
      std::array<iovec, 2> parts{
          iovec{head_.data() + connection.head_sent, head_.size() - connection.head_sent},
          iovec{block_.data(), static_cast<std::size_t>(body)}};
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(connection.socket.get(), &message, MSG_NOSIGNAL);
      if (sent < 0) return;  // EAGAIN, or an error that the next read will name
      const auto bytes = static_cast<std::size_t>(sent);
      const std::size_t of_head = std::min(bytes, parts[0].iov_len);
      connection.head_sent += of_head;
      connection.body_left -= bytes - of_head;
    }
  }

  void on_event(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && connection.busy) send(connection);
    if ((events & (EPOLLIN | kEnding)) != 0) read(connection, (events & kEnding) != 0);
  }

  void read(Connection& connection, bool to_the_end) {
    while (!done_) {
      const ssize_t got = ::recv(connection.socket.get(), buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return on_end(connection, got == 0 ? "closed" : "reset");
      const auto bytes = static_cast<std::size_t>(got);
      const std::size_t taken = connection.answer.feed(std::string_view(buffer_.data(), bytes));
      if (connection.answer.failed()) return on_end(connection, "not HTTP");
      if (connection.answer.complete()) {
        if (taken < bytes) return on_end(connection, "bytes after the answer");
        const bool ended = connection.answer.closes() || options_.reconnect;
        finish(connection, Clock::now());
        if (ended) return;
      }
      if (bytes < buffer_.size() && !to_the_end) return;
    }
  }

  void on_end(Connection& connection, const char* how) {
    if (connection.busy && connection.answer.begun()) {
      connection.answer.end_of_stream();
      if (connection.answer.complete()) return finish(connection, Clock::now());
    }
    // An idle connection may be closed at any time; a request on it that met the close is lost.
    if (connection.busy) {
      ++result_.errors[how];
      --begun_;  // so that --requests still ends
    }
    ++result_.reconnects;
    const bool again = connection.busy;
    connection.busy = false;
    connect(connection);
    if (again) after(connection);
  }

  void finish(Connection& connection, Clock::time_point now) {
    ++result_.all_requests;
    if (in_window_) {
      ++result_.requests;
      has_whole_request_ = has_whole_request_ || connection.begun >= opened_;
      result_.body_bytes += connection.answer.body_bytes();
      const auto took =
          std::chrono::duration_cast<std::chrono::microseconds>(now - connection.begun);
      result_.latencies_us.push_back(static_cast<std::uint32_t>(took.count()));
      if (connection.answer.status() != 200) {
        ++result_.errors["status " + std::to_string(connection.answer.status())];
      }
    }
    const bool ends = connection.answer.closes();
    connection.answer.next();
    connection.busy = false;
    if (options_.requests > 0 && result_.all_requests == options_.requests) {
      return close_window(now);
    }
    if (options_.hold) return hold_when_all_have();
    if (options_.reconnect || ends) {
      if (!options_.reconnect) ++result_.reconnects;
      connect(connection);
    }
    after(connection);
  }

  void after(Connection& connection) {
    if (options_.rate <= 0) {
      begin(connection, Clock::now());
    } else if (connection.due > 0) {
      begin_due(connection);
    }
  }

  void hold_when_all_have() {
    if (result_.all_requests < connections_.size()) return;
    std::puts("holding");
    std::fflush(stdout);
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    close_window(Clock::now());
  }

  const LoadOptions& options_;
  Fd epoll_;
  std::string head_;
  std::string block_;
  std::array<char, kBufferBytes> buffer_{};
  std::vector<Connection> connections_;
  LoadResult result_;
  Clock::time_point start_, opened_;
  double cpu_before_ = 0;
  std::uint64_t next_due_ = 0;
  std::uint64_t begun_ = 0;
  std::uint32_t connects_ = 0;
  bool in_window_ = false;
  bool has_whole_request_ = false;
  bool done_ = false;
};

}  // namespace

LoadResult run_load(const LoadOptions& options) { return Generator(options).run(); }

}  // namespace pilotlight::bench
