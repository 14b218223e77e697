#include "common/net/transport.h"

#include "common/net/tls_session.h"
#include "tests/common/net/transport_fixture.h"

namespace pilotlight {
namespace {

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
  shard_.settle();
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
    const std::size_t before = shard_.scope.size();
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
    ASSERT_TRUE(until([&] { return shard_.scope.size() == before; }));
  }
}

TEST_F(TransportTest, AWriteCutShortIsNeverFollowedByACloseNotify) {
  connect("127.0.0.1", trust_);
  shard_.scope.spawn(server_->send(std::string(30'000'000, 'x')));
  shard_.settle();  // it waits for a reader
  ASSERT_FALSE(server_->written);
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
