// What a cancel ends, and that none is lost.
#include <array>

#include <boost/asio/post.hpp>
#include <poll.h>
#include <sys/socket.h>

#include "tests/common/net/transport_fixture.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

class TransportCancelTest : public TransportTest {
 protected:
  /// Runs `what` between the end of a read's wait and its resumption, when a write's wait on the
  /// same socket ends with it. In its first round the loop looks at the sockets, in the second it
  /// resumes the write and queues the read, behind what was posted meanwhile.
  void between_wait_and_resumption(std::function<void()> what) {
    asio::post(shard_.loop, [this, what = std::move(what)] { asio::post(shard_.loop, what); });
  }

  /// Takes what has arrived at the client off the kernel's hands, undeciphered.
  void drain_client() {
    std::array<char, 65536> piece;
    while (::recv(client_->transport.tcp().native_handle(), piece.data(), piece.size(),
                  MSG_DONTWAIT) > 0) {
    }
  }

  /// Drains the client until the server's socket is ready for all of these; the loop, which does
  /// not run meanwhile, then sees them in one look.
  [[nodiscard]] bool until_server_is(short events) {
    const TimePoint latest = shard_.clock.now() + 10s;
    pollfd server{server_->transport.tcp().native_handle(), events, 0};
    do {
      drain_client();
      ::poll(&server, 1, 10);
    } while ((server.revents & events) != events && shard_.clock.now() < latest);
    return (server.revents & events) == events;
  }
};

TEST_F(TransportCancelTest, CancellingEndsARead) {
  connect();
  shard_.settle();  // it waits
  server_->transport.cancel();
  ASSERT_TRUE(until([&] { return server_->ended.has_value(); }));
  EXPECT_EQ(*server_->ended, asio::error::operation_aborted);
}

TEST_F(TransportCancelTest, CancellingEndsAHandshakeThatTheClientNeverBegins) {
  test::RawClient silent(shard_, listener_.local());
  ASSERT_TRUE(until([this] { return server_ != nullptr; }));
  shard_.scope.spawn(server_->handshake());
  shard_.settle();
  EXPECT_FALSE(server_->shaken);
  server_->transport.cancel();
  ASSERT_TRUE(until([this] { return server_->shaken.has_value(); }));
  EXPECT_EQ(*server_->shaken, asio::error::operation_aborted);
  EXPECT_TRUE(server_->transport.handshake_due());
}

TEST_F(TransportCancelTest, ACancelBetweenAReadsWaitAndItsResumptionIsNotLost) {
  connect("127.0.0.1", trust_);
  shard_.scope.spawn(server_->receive());
  shard_.scope.spawn(server_->send(std::string(30'000'000, 'x')));
  shard_.settle();  // both wait
  ASSERT_FALSE(server_->written);
  const std::string_view half_a_record("\x17\x03\x03", 3);
  client_->transport.tcp().write_some(asio::buffer(half_a_record));
  ASSERT_TRUE(until_server_is(POLLOUT | POLLIN));
  between_wait_and_resumption([this] { server_->transport.cancel(); });
  ASSERT_TRUE(until([&] { return server_->written.has_value(); }));
  ASSERT_TRUE(until([&] { return server_->ended.has_value(); }));
  EXPECT_EQ(*server_->ended, asio::error::operation_aborted);
}

TEST_F(TransportCancelTest, AWriteWithAConditionAsksItBetweenTwoSteps) {
  connect("127.0.0.1", trust_);
  bool ending = false;
  shard_.scope.spawn(server_->send_until(std::string(30'000'000, 'x'), ending));
  shard_.settle();
  EXPECT_FALSE(server_->written) << "nobody reads";
  ending = true;
  ASSERT_TRUE(until_server_is(POLLOUT));
  ASSERT_TRUE(until([&] { return server_->written.has_value(); })) << "room, but no more is wanted";
  EXPECT_EQ(*server_->written, ErrorCode());
}

}  // namespace
}  // namespace pilotlight
