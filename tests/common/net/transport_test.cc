#include "common/net/transport.h"

#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/net/dialer.h"
#include "common/net/tls.h"
#include "common/net/tls_session.h"
#include "tests/support/loopback.h"
#include "tests/support/tls_identity.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const TlsContext> made(TlsContext::Made context) {
  if (!context) throw std::runtime_error(context.error());
  return std::move(*context);
}

/// One end of a connection: the test tells it what to do, one step after the other.
struct Peer {
  explicit Peer(Transport t) : transport(std::move(t)) {}

  Transport transport;
  std::optional<ErrorCode> shaken;  // how the handshake ended
  std::optional<ErrorCode> written;
  std::optional<ErrorCode> closed;
  std::optional<ErrorCode> ended;  // how the reading ended
  std::string received;

  Task<> handshake() { shaken = co_await transport.handshake(); }
  Task<> send(std::string bytes) {
    const auto [ec, n] = co_await transport.write(asio::buffer(std::as_const(bytes)));
    written = ec;
  }
  Task<> send_parts(std::vector<std::string> parts) {
    std::vector<asio::const_buffer> buffers;
    for (const std::string& part : parts) buffers.push_back(asio::buffer(part));
    const auto [ec, n] = co_await transport.write(buffers);
    written = ec;
  }
  Task<> receive() {
    std::vector<char> room(16 * 1024);
    for (;;) {
      const auto [ec, n] = co_await transport.read_some(asio::buffer(room));
      if (ec) {
        ended = ec;
        co_return;
      }
      received.append(room.data(), n);
    }
  }
  Task<> shutdown() { closed = co_await transport.shutdown_send(); }
};

/// A client and a server of ours on one shard, each with its end of one TLS connection.
class TransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(listener_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(listener_.run());
  }
  void TearDown() override {
    listener_.close();
    for (auto& peer : peers_) peer->transport.cancel();
    shard_.run_for(1ms);
  }

  Task<> dial_server(std::string host, std::shared_ptr<const TlsContext> trust) {
    TcpStream stream(shard_.loop.get_executor());
    const TimePoint soon = shard_.clock.now() + 5s;
    const Result<> dialed = co_await dial(stream, shard_.deadlines, listener_.local(), soon);
    if (!dialed) co_return;
    client_ =
        peers_.emplace_back(std::make_unique<Peer>(trust->connect(std::move(stream), host))).get();
  }

  void connect(const std::string& host, std::shared_ptr<const TlsContext> trust) {
    client_ = server_ = nullptr;
    shard_.scope.spawn(dial_server(host, std::move(trust)));
    ASSERT_TRUE(until([this] { return client_ != nullptr && server_ != nullptr; }));
    shard_.scope.spawn(client_->handshake());
    shard_.scope.spawn(server_->handshake());
    ASSERT_TRUE(until([this] { return client_->shaken && server_->shaken; }));
  }
  /// A connection whose handshake has succeeded, both ends reading.
  void connect() {
    connect("127.0.0.1", trust_);
    ASSERT_EQ(*client_->shaken, ErrorCode());
    ASSERT_EQ(*server_->shaken, ErrorCode());
    shard_.scope.spawn(client_->receive());
    shard_.scope.spawn(server_->receive());
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return shard_.run_until(done); }
  void destroy_server() {
    std::erase_if(peers_, [this](const auto& peer) { return peer.get() == server_; });
  }

  test::LoopbackShard shard_;
  test::TlsIdentity identity_ = test::make_tls_identity("first");
  std::shared_ptr<const TlsContext> context_ =
      made(TlsContext::server(TlsSettings(), identity_.certificate, identity_.key));
  std::shared_ptr<const TlsContext> trust_ = made(TlsContext::client(identity_.certificate));
  Listener listener_{
      shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
        server_ =
            peers_.emplace_back(std::make_unique<Peer>(context_->accept(std::move(stream)))).get();
      }};
  std::vector<std::unique_ptr<Peer>> peers_;
  Peer* client_ = nullptr;
  Peer* server_ = nullptr;
};

TEST_F(TransportTest, BytesPassBothWaysAtTheSameTime) {
  connect();
  const std::string up(3'000'000, 'u');
  const std::string down(5'000'000, 'd');
  shard_.scope.spawn(client_->send(up));
  shard_.scope.spawn(server_->send(down));
  ASSERT_TRUE(until([&] {
    return server_->received.size() == up.size() && client_->received.size() == down.size();
  }));
  EXPECT_EQ(server_->received, up);
  EXPECT_EQ(client_->received, down);
  EXPECT_EQ(*client_->written, ErrorCode());
  EXPECT_EQ(*server_->written, ErrorCode());
}

TEST_F(TransportTest, SeveralBuffersArriveWholeAndInOrderWhateverTheirSizes) {
  connect();
  std::vector<std::string> parts;
  std::string all;
  for (const std::size_t size : {1u, 0u, 100u, 16'383u, 16'384u, 16'385u, 0u, 70'000u, 3u}) {
    parts.emplace_back(size, static_cast<char>('a' + parts.size()));
    all += parts.back();
  }
  shard_.scope.spawn(server_->send_parts(parts));
  ASSERT_TRUE(until([&] { return client_->received.size() >= all.size(); }));
  EXPECT_EQ(client_->received, all);
}

TEST_F(TransportTest, AWriteWaitsForAReaderAndGoesOnWhereItStopped) {
  connect("127.0.0.1", trust_);
  std::vector<std::string> parts(300, std::string(100'001, 'x'));  // beyond any socket buffer
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i][0] = static_cast<char>('A' + i % 26);
  std::string all;
  for (const std::string& part : parts) all += part;
  shard_.scope.spawn(server_->send_parts(parts));
  shard_.run_for(20ms);
  EXPECT_FALSE(server_->written) << "nobody reads";
  shard_.scope.spawn(client_->receive());
  ASSERT_TRUE(until([&] { return client_->received.size() >= all.size(); }));
  EXPECT_EQ(client_->received, all);
}

TEST_F(TransportTest, AShutdownIsAnEndOfFileAndTheOtherDirectionStaysOpen) {
  connect();
  shard_.scope.spawn(server_->send("the whole"));
  ASSERT_TRUE(until([&] { return server_->written.has_value(); }));
  shard_.scope.spawn(server_->shutdown());
  ASSERT_TRUE(until([&] { return client_->ended.has_value(); }));
  EXPECT_EQ(client_->received, "the whole");
  EXPECT_EQ(*client_->ended, asio::error::eof);
  shard_.scope.spawn(client_->send("still here"));
  ASSERT_TRUE(until([&] { return server_->received == "still here"; }));
}

TEST_F(TransportTest, AnEndWithoutCloseNotifyIsNoEndOfFile) {
  connect();
  shard_.scope.spawn(server_->send("a part"));
  ASSERT_TRUE(until([&] { return client_->received == "a part"; }));
  ErrorCode ignored;
  server_->transport.tcp().shutdown(tcp::socket::shutdown_send, ignored);
  ASSERT_TRUE(until([&] { return client_->ended.has_value(); }));
  EXPECT_EQ(*client_->ended, asio::error::connection_reset);
}

TEST_F(TransportTest, AResetSaysNoCloseNotifyEvenWhenShutDownFirst) {
  connect("127.0.0.1", trust_);
  shard_.scope.spawn(client_->receive());
  server_->transport.reset_on_close();
  shard_.scope.spawn(server_->shutdown());
  ASSERT_TRUE(until([&] { return server_->closed.has_value(); }));
  EXPECT_EQ(*server_->closed, asio::error::broken_pipe);
  EXPECT_FALSE(client_->ended);
  destroy_server();
  ASSERT_TRUE(until([&] { return client_->ended.has_value(); }));
  EXPECT_EQ(*client_->ended, asio::error::connection_reset);
}

TEST_F(TransportTest, WithoutTlsAResetIsOneTooAndAPlainEndIsAnEndOfFile) {
  for (const bool reset : {false, true}) {
    Listener plain(shard_.loop.get_executor(), shard_.clock, [this](TcpStream stream) {
      server_ = peers_.emplace_back(std::make_unique<Peer>(std::move(stream))).get();
    });
    ASSERT_TRUE(plain.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), false));
    shard_.scope.spawn(plain.run());
    TcpStream stream(shard_.loop.get_executor());
    stream.connect(plain.local());
    Peer client(std::move(stream));
    server_ = nullptr;
    ASSERT_TRUE(until([this] { return server_ != nullptr; }));
    shard_.scope.spawn(client.receive());
    if (reset) server_->transport.reset_on_close();
    destroy_server();
    ASSERT_TRUE(until([&] { return client.ended.has_value(); }));
    EXPECT_EQ(*client.ended,
              reset ? ErrorCode(asio::error::connection_reset) : ErrorCode(asio::error::eof));
    plain.close();
    shard_.run_for(1ms);
  }
}

TEST_F(TransportTest, AWriteCutShortIsNeverFollowedByACloseNotify) {
  connect("127.0.0.1", trust_);
  shard_.scope.spawn(server_->send(std::string(30'000'000, 'x')));
  shard_.run_for(20ms);
  server_->transport.cancel();
  ASSERT_TRUE(until([&] { return server_->written.has_value(); }));
  EXPECT_EQ(*server_->written, asio::error::operation_aborted);
  shard_.scope.spawn(server_->shutdown());
  ASSERT_TRUE(until([&] { return server_->closed.has_value(); }));
  EXPECT_EQ(*server_->closed, asio::error::broken_pipe);
  destroy_server();
  shard_.scope.spawn(client_->receive());
  ASSERT_TRUE(until([&] { return client_->ended.has_value(); }));
  EXPECT_EQ(*client_->ended, asio::error::connection_reset);
}

TEST_F(TransportTest, CancellingEndsARead) {
  connect();
  shard_.run_for(5ms);  // until it waits
  server_->transport.cancel();
  ASSERT_TRUE(until([&] { return server_->ended.has_value(); }));
  EXPECT_EQ(*server_->ended, asio::error::operation_aborted);
}

TEST_F(TransportTest, CancellingEndsAHandshakeThatTheClientNeverBegins) {
  test::RawClient silent(shard_, listener_.local());
  ASSERT_TRUE(until([this] { return server_ != nullptr; }));
  shard_.scope.spawn(server_->handshake());
  shard_.run_for(5ms);
  EXPECT_FALSE(server_->shaken);
  server_->transport.cancel();
  ASSERT_TRUE(until([this] { return server_->shaken.has_value(); }));
  EXPECT_EQ(*server_->shaken, asio::error::operation_aborted);
  EXPECT_TRUE(server_->transport.handshake_due());
}

TEST_F(TransportTest, BytesThatAreNoTlsFailTheHandshake) {
  test::RawClient plain(shard_, listener_.local());
  ASSERT_TRUE(until([this] { return server_ != nullptr; }));
  shard_.scope.spawn(server_->handshake());
  const std::string record("\x16\x03\x01\x00\x05hello", 10);  // framed as TLS, but no ClientHello
  plain.send(record);
  ASSERT_TRUE(until([this] { return server_->shaken.has_value(); }));
  EXPECT_EQ(server_->shaken->category(), tls_category());
}

TEST_F(TransportTest, WhoSpeaksPlainHttpIsToldSo) {
  test::RawClient plain(shard_, listener_.local());
  ASSERT_TRUE(until([this] { return server_ != nullptr; }));
  shard_.scope.spawn(server_->handshake());
  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(until([&] { return plain.got("HTTPS server.\n"); }));
  EXPECT_TRUE(plain.got("HTTP/1.0 400 Bad Request\r\n"));
}

TEST_F(TransportTest, AClientRefusesWhomItDoesNotTrust) {
  const test::TlsIdentity other = test::make_tls_identity("other");
  connect("127.0.0.1", made(TlsContext::client(other.certificate)));
  EXPECT_NE(*client_->shaken, ErrorCode());
  EXPECT_NE(*server_->shaken, ErrorCode());
}

TEST_F(TransportTest, AClientRefusesACertificateForAnotherHost) {
  connect("localhost", trust_);
  EXPECT_EQ(*client_->shaken, ErrorCode());
  connect("elsewhere.test", trust_);
  EXPECT_NE(*client_->shaken, ErrorCode());
  connect("127.0.0.2", trust_);
  EXPECT_NE(*client_->shaken, ErrorCode());
}

TEST_F(TransportTest, ANewContextLeavesOldConnectionsAlone) {
  connect();
  Peer* const old_client = client_;
  Peer* const old_server = server_;
  const test::TlsIdentity second = test::make_tls_identity("second");
  context_ = made(TlsContext::server(TlsSettings(), second.certificate, second.key));
  connect("127.0.0.1", trust_);
  EXPECT_NE(*client_->shaken, ErrorCode()) << "the new certificate is not the one it trusts";
  connect("127.0.0.1", made(TlsContext::client(second.certificate)));
  EXPECT_EQ(*client_->shaken, ErrorCode());
  shard_.scope.spawn(old_client->send("hello"));
  ASSERT_TRUE(until([&] { return old_server->received == "hello"; }));
}

}  // namespace
}  // namespace pilotlight
