#include "tests/support/transport_client.h"

#include <array>
#include <utility>

namespace pilotlight::test {
namespace {

Transport connected(LoopbackShard& shard, const tcp::endpoint& to, const TlsContext* trust) {
  TcpStream stream(shard.loop.get_executor());
  stream.connect(to);
  if (trust == nullptr) return Transport(std::move(stream));
  return trust->connect(std::move(stream), to.address().to_string());
}

}  // namespace

TransportClient::TransportClient(LoopbackShard& shard, tcp::endpoint to, const TlsContext* trust)
    : shard_(shard), transport_(connected(shard, to, trust)) {
  shard.scope.spawn(run());
}

TransportClient::~TransportClient() {
  close();
  static_cast<void>(shard_.run_until([this] { return !reading_ && !writing_; }));
}

void TransportClient::send(std::string_view bytes) {
  unsent_ += bytes;
  if (secured_ && !std::exchange(writing_, true)) shard_.scope.spawn(write());
}

void TransportClient::close() {
  ErrorCode ignored;
  transport_.cancel();
  transport_.tcp().close(ignored);
}

Task<> TransportClient::write() {
  ErrorCode failed;
  while (!failed && !unsent_.empty()) {
    const std::string bytes = std::exchange(unsent_, std::string());
    const auto [ec, n] = co_await transport_.write(asio::buffer(bytes));
    failed = ec;
  }
  writing_ = false;
}

Task<> TransportClient::run() {
  ErrorCode failed;
  if (transport_.handshake_due()) failed = co_await transport_.handshake();
  secured_ = !failed;
  if (secured_) send(std::string_view());
  std::array<char, 16 * 1024> piece;
  while (!failed) {
    const auto [ec, n] = co_await transport_.read_some(asio::buffer(piece));
    received_.append(piece.data(), n);
    failed = ec;
  }
  polite_ = failed == asio::error::eof;
  ended_ = true;
  reading_ = false;
}

}  // namespace pilotlight::test
