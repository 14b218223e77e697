#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "examples/echo/connection.h"

namespace pilotlight::echo {

/// A single-threaded epoll loop. SIGTERM and SIGINT: stop accepting, finish what runs, return.
class Server {
 public:
  explicit Server(const Options& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves until a signal, or options.exit_after. @return the exit code.
  [[nodiscard]] int run();

 private:
  using Connections = std::map<int, std::unique_ptr<Connection>>;

  void begin_to_listen();
  void accept_all();
  void on_signal();
  void service(Connections::iterator connection, bool alive);
  void refresh(int fd, const Connection& connection);
  void run_due(std::int64_t now_us);
  [[nodiscard]] int wait_ms(std::int64_t now_us) const;

  Options options_;
  Stats stats_;
  Connections connections_;
  std::multimap<std::int64_t, int> due_;  // CLOCK_MONOTONIC us -> fd; stale rows are skipped
  int epoll_ = -1;
  int listener_ = -1;
  int signals_ = -1;
  std::int64_t listen_at_us_ = 0;
  std::int64_t exit_at_us_ = 0;
  bool ending_ = false;
};

}  // namespace pilotlight::echo
