#include "common/http/upstream.h"

#include <optional>

#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <poll.h>

#include "tests/support/held_port.h"
#include "tests/support/loopback.h"

namespace pilotlight::http {
namespace {

using namespace std::chrono_literals;

class UpstreamPoolTest : public ::testing::Test {
 protected:
  Task<> take() {
    auto taken = co_await pool_.take(shard_.clock.now() + 5s, interruption_);
    if (taken) {
      checkout_.emplace(std::move(*taken));
    } else {
      error_ = taken.error();
    }
    done_ = true;
  }

  void take_now() {
    checkout_.reset();
    done_ = false;
    shard_.scope.spawn(take());
    ASSERT_TRUE(shard_.run_until([this] { return done_; }));
    if (checkout_) descriptor_ = (*checkout_)->stream().native_handle();
  }

  /// Waits, without the loop, until what the server did has reached the connection taken last.
  [[nodiscard]] bool arrived() const {
    pollfd socket{descriptor_, POLLIN, 0};
    return ::poll(&socket, 1, 10'000) == 1;
  }

  UpstreamPool::Params params() {
    UpstreamPool::Params params;
    params.address = server_.address();
    return params;
  }

  test::LoopbackShard shard_;
  test::FakeServer server_{shard_};
  UpstreamPool pool_{shard_.parts, params()};
  Interruption interruption_;
  std::optional<UpstreamPool::Checkout> checkout_;
  ErrorCode error_;
  bool done_ = false;
  int descriptor_ = -1;
};

TEST_F(UpstreamPoolTest, AKeptConnectionIsUsedAgain) {
  take_now();
  ASSERT_TRUE(checkout_);
  EXPECT_FALSE(checkout_->reused());
  checkout_->keep(shard_.clock.now());
  EXPECT_EQ(pool_.idle(), 1u);
  take_now();
  EXPECT_TRUE(checkout_->reused());
  EXPECT_EQ(server_.accepted(), 1u);
}

TEST_F(UpstreamPoolTest, AConnectionThatClosedWhileIdleIsNeverHandedOut) {
  take_now();
  checkout_->keep(shard_.clock.now());
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  server_.close(0);
  ASSERT_TRUE(arrived());
  take_now();
  ASSERT_TRUE(checkout_);
  EXPECT_FALSE(checkout_->reused());
}

TEST_F(UpstreamPoolTest, AnIdleCloseIsSeenWhenItComesNotWhenSomebodyLooks) {
  take_now();
  checkout_->keep(shard_.clock.now());
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  EXPECT_EQ(pool_.idle(), 1u);
  server_.close(0);
  EXPECT_TRUE(shard_.run_until([this] { return pool_.idle() == 0; }));
}

TEST_F(UpstreamPoolTest, AConnectionThatClosedInUseIsNotKept) {
  take_now();
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  server_.close(0);
  ASSERT_TRUE(arrived());
  shard_.settle();
  checkout_->keep(shard_.clock.now());
  EXPECT_EQ(pool_.idle(), 0u);
}

TEST_F(UpstreamPoolTest, BytesNobodyAskedForMakeAConnectionUnusable) {
  take_now();
  checkout_->keep(shard_.clock.now());
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  server_.send(0, "HTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(arrived());
  take_now();
  EXPECT_FALSE(checkout_->reused());
}

TEST_F(UpstreamPoolTest, AConnectionThatWasUsedAMomentAgoIsNotLookedAt) {
  take_now();
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  const TimePoint used = shard_.clock.now();
  (*checkout_)->head().framing = Framing::length;
  checkout_->keep(used);
  server_.send(0, "HTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(arrived());
  auto at_once = pool_.take_idle(used + 49us);
  ASSERT_TRUE(at_once);
  at_once->keep(used);
  EXPECT_FALSE(pool_.take_idle(used + 50us));
}

TEST_F(UpstreamPoolTest, AfterAnAnswerWithoutABodyItIsLookedAtAlways) {
  take_now();
  ASSERT_TRUE(shard_.run_until([this] { return server_.accepted() == 1; }));
  const TimePoint used = shard_.clock.now();
  (*checkout_)->head().framing = Framing::none;  // as of HEAD, 204 and 304
  checkout_->keep(used);
  server_.send(0, "a body that should not be there");
  ASSERT_TRUE(arrived());
  EXPECT_FALSE(pool_.take_idle(used));
}

TEST_F(UpstreamPoolTest, WhoHasLeftAlreadyIsNotDialedFor) {
  interruption_.raise(Cause::left);
  take_now();
  EXPECT_FALSE(checkout_);
  EXPECT_EQ(error_, FlowError::downstream_gone);
  EXPECT_EQ(server_.accepted(), 0u);
}

TEST_F(UpstreamPoolTest, ARefusedConnectIsKnownNotToHaveStarted) {
  const test::HeldPort nobody;
  UpstreamPool::Params closed = params();
  closed.address = nobody.endpoint();
  UpstreamPool pool(shard_.parts, closed);
  Interruption interruption;
  bool done = false;
  ErrorCode error;
  struct Call {
    static Task<> run(UpstreamPool& p, TimePoint until, Interruption& i, bool& d, ErrorCode& e) {
      const auto taken = co_await p.take(until, i);
      if (!taken) e = taken.error();
      d = true;
    }
  };
  shard_.scope.spawn(Call::run(pool, shard_.clock.now() + 5s, interruption, done, error));
  ASSERT_TRUE(shard_.run_until([&] { return done; }));
  EXPECT_EQ(error, make_error_code(FlowError::upstream_refused));
}

TEST_F(UpstreamPoolTest, BytesThatThePeerTookCountAsAcknowledgedUnreadOnesToo) {
  take_now();
  UpstreamConnection& up = **checkout_;
  up.begin_request();
  EXPECT_TRUE(up.nothing_acknowledged());
  const std::string bytes = "GET / HTTP/1.1\r\n\r\n";
  up.sent(asio::write(up.stream(), asio::buffer(bytes)));
  ASSERT_TRUE(shard_.run_until([&up] { return !up.nothing_acknowledged(); }));
  up.begin_request();
  EXPECT_TRUE(up.nothing_acknowledged()) << "only the present request counts";
}

}  // namespace
}  // namespace pilotlight::http
