#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/net/dialer.h"
#include "common/net/tls.h"
#include "common/net/transport.h"
#include "tests/support/loopback.h"
#include "tests/support/tls_identity.h"

namespace pilotlight {

inline std::shared_ptr<const TlsContext> made(TlsContext::Made context) {
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
  /// Goes on for as long as nothing is `ending`.
  Task<> send_until(std::string bytes, const bool& ending) {
    const auto more = [&ending](const ErrorCode& ec, std::size_t) -> std::size_t {
      return ec || ending ? 0 : 65536;
    };
    const auto [ec, n] = co_await transport.write(asio::buffer(std::as_const(bytes)), more);
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
    others_ = shard_.scope.size();
    shard_.scope.spawn(listener_.run());
  }
  void TearDown() override {
    listener_.close();
    for (auto& peer : peers_) peer->transport.cancel();
    EXPECT_TRUE(until([this] { return shard_.scope.size() == others_; }));
  }

  Task<> dial_server(std::string host, std::shared_ptr<const TlsContext> trust) {
    TcpStream stream(shard_.loop.get_executor());
    const TimePoint soon = shard_.clock.now() + std::chrono::seconds(60);
    const Result<> dialed = co_await dial(stream, shard_.deadlines, listener_.local(), soon);
    if (!dialed) co_return;
    stream.set_option(asio::socket_base::receive_buffer_size(64 * 1024));  // else it may grow
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
  std::size_t others_ = 0;  // coroutines of the shard itself
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

}  // namespace pilotlight
