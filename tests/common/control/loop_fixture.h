#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "common/base/system_clock.h"

namespace pilotlight::test {

/// One event loop on the test's own thread, for tests with real loopback sockets on port 0.
/// Whatever a test waits for has 60 s at most.
class LoopTest : public ::testing::Test {
 protected:
  [[nodiscard]] Executor executor() { return loop_.get_executor(); }
  [[nodiscard]] TimePoint soon() const { return clock_.now() + std::chrono::seconds(60); }

  /// Any free port of the loopback interface.
  [[nodiscard]] static asio::ip::tcp::endpoint any_port() {
    return asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0);
  }

  /// Runs the loop until `done()`. Fails the test when that does not come in time.
  template <class Predicate>
  void run_until(Predicate done) {
    const TimePoint deadline = soon();
    while (!done() && clock_.now() < deadline) {
      if (loop_.stopped()) loop_.restart();
      loop_.run_one_until(deadline);
    }
    loop_.poll();  // lets a task whose last line made it true end
    ASSERT_TRUE(done()) << "did not happen in time";
  }

  /// Runs `task` to its end and returns what it returned.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    scope_.spawn(store(std::move(task), result));
    run_until([&result] { return result.has_value(); });
    return std::move(*result);
  }

  void run(Task<> task) {
    bool done = false;
    scope_.spawn(mark(std::move(task), done));
    run_until([&done] { return done; });
  }

  asio::io_context loop_{1};
  asio::executor_work_guard<Executor> work_{loop_.get_executor()};
  SystemClock clock_{loop_};
  Scope scope_{loop_.get_executor()};  // its destructor checks that every task has ended

 private:
  template <class T>
  static Task<> store(Task<T> task, std::optional<T>& result) {
    co_await asio::this_coro::throw_if_cancelled(false);
    result.emplace(co_await std::move(task));
  }
  static Task<> mark(Task<> task, bool& done) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await std::move(task);
    done = true;
  }
};

}  // namespace pilotlight::test
