#include "examples/echo/server.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pilotlight::echo {
namespace {

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

std::int64_t in_us(std::chrono::milliseconds length) { return length.count() * 1000; }

}  // namespace

Server::Server(const Options& options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  signals_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  watch(epoll_, signals_, EPOLLIN);
  const std::int64_t now_us = monotonic_us();
  listen_at_us_ = now_us + in_us(options_.start_delay);
  if (options_.exit_after) exit_at_us_ = now_us + in_us(*options_.exit_after);
  if (options_.never_listen) listen_at_us_ = 0;
}

Server::~Server() {
  connections_.clear();
  if (listener_ >= 0) close(listener_);
  close(signals_);
  close(epoll_);
}

int Server::run() {
  std::array<epoll_event, 256> events{};
  while (!ending_ || !connections_.empty()) {
    const std::int64_t now_us = monotonic_us();
    if (exit_at_us_ != 0 && now_us >= exit_at_us_) {
      std::fprintf(stderr, "echo-server: exiting with %d as told\n", options_.exit_code);
      return options_.exit_code;
    }
    if (listen_at_us_ != 0 && now_us >= listen_at_us_) begin_to_listen();
    run_due(now_us);
    const int n =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms(monotonic_us()));
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
      if (fd == signals_) {
        on_signal();
      } else if (fd == listener_) {
        accept_all();
      } else if (const auto found = connections_.find(fd); found != connections_.end()) {
        service(found, found->second->on_ready(what));
      }
    }
  }
  return 0;
}

void Server::begin_to_listen() {
  listen_at_us_ = 0;
  if (ending_) return;
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(options_.port);
  if (inet_pton(AF_INET, options_.address.c_str(), &where.sin_addr) != 1) fail("--address");
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) fail("bind");
  stats_.listening_us = monotonic_us();
  if (listen(listener_, 1024) != 0) fail("listen");
  socklen_t length = sizeof where;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &length);
  std::printf("echo-server: listening on %s:%d\n", options_.address.c_str(),
              int{ntohs(where.sin_port)});
  std::fflush(stdout);
  watch(epoll_, listener_, EPOLLIN);
}

void Server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.emplace(fd, std::make_unique<Connection>(fd, stats_, options_));
    watch(epoll_, fd, EPOLLIN | EPOLLRDHUP);
  }
}

void Server::on_signal() {
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) <= 0) return;
  ending_ = true;
  if (listener_ >= 0) {
    accept_all();  // what the kernel has accepted already is served too
    close(listener_);
    listener_ = -1;
  }
  std::erase_if(connections_, [](const auto& row) { return row.second->idle(); });
  for (auto& [fd, connection] : connections_) connection->finish_soon();
}

void Server::service(Connections::iterator connection, bool alive) {
  if (alive && !(ending_ && connection->second->idle())) {
    refresh(connection->first, *connection->second);
  } else {
    connections_.erase(connection);
  }
}

void Server::refresh(int fd, const Connection& connection) {
  if (connection.due_us() != 0) due_.emplace(connection.due_us(), fd);
  epoll_event event{};
  event.events = EPOLLRDHUP | (connection.wants_read() ? std::uint32_t{EPOLLIN} : 0) |
                 (connection.wants_write() ? std::uint32_t{EPOLLOUT} : 0);
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Server::run_due(std::int64_t now_us) {
  while (!due_.empty() && due_.begin()->first <= now_us) {
    const auto [at_us, fd] = *due_.begin();
    due_.erase(due_.begin());
    const auto found = connections_.find(fd);
    if (found == connections_.end() || found->second->due_us() != at_us) continue;
    service(found, found->second->on_due());
  }
}

int Server::wait_ms(std::int64_t now_us) const {
  std::int64_t next_us = now_us + 3'600'000'000;
  if (!due_.empty()) next_us = std::min(next_us, due_.begin()->first);
  if (listen_at_us_ != 0) next_us = std::min(next_us, listen_at_us_);
  if (exit_at_us_ != 0) next_us = std::min(next_us, exit_at_us_);
  return static_cast<int>(std::max<std::int64_t>(0, (next_us - now_us + 999) / 1000));
}

}  // namespace pilotlight::echo
