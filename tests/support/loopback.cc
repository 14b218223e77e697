#include "tests/support/loopback.h"

#include <array>

#include <sys/socket.h>

namespace pilotlight::test {
namespace {

using namespace std::chrono_literals;

void write_all(TcpStream& stream, std::string_view bytes) {
  // Loopback buffers hold what tests send; a peer that has gone is the test's point, not an error.
  while (!bytes.empty()) {
    const ssize_t n = ::send(stream.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

LoopbackShard::LoopbackShard(Time time)
    : clock(time == Time::real ? static_cast<Clock&>(wall) : sim) {
  scope.spawn(runner_.run());
  scope.spawn(leaves.run());
}

LoopbackShard::~LoopbackShard() {
  runner_.stop();
  leaves.stop();
  scope.cancel(asio::cancellation_type::terminal);
  static_cast<void>(run_until([this] { return scope.size() == 0; }));
}

bool LoopbackShard::run_until(const std::function<bool()>& done) {
  const TimePoint latest = wall.now() + 60s;
  const Duration pause = &clock == &sim ? 1ms : 50ms;  // `done` may be what moves simulated time
  loop.restart();
  while (!done()) {
    if (wall.now() > latest) return false;
    loop.run_one_for(pause);
    if (loop.stopped()) loop.restart();
  }
  return true;
}

void LoopbackShard::run_for(Duration time) {
  loop.restart();
  loop.run_for(time);
}

FakeServer::FakeServer(LoopbackShard& shard)
    : shard_(shard), listener_(shard.loop.get_executor(), shard.clock, [this](TcpStream stream) {
        connections_.push_back(std::make_unique<Connection>(std::move(stream)));
        shard_.scope.spawn(serve(connections_.size() - 1));
      }) {
  const Result<> bound =
      listener_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), /*shared=*/false);
  if (!bound) throw std::runtime_error("cannot bind a loopback port: " + bound.error().message());
  shard.scope.spawn(listen());
}

FakeServer::~FakeServer() {
  listener_.close();
  ErrorCode ignored;
  for (auto& connection : connections_) connection->stream.close(ignored);
  // The tasks hold references to us: let them end.
  static_cast<void>(shard_.run_until([this] {
    for (auto& connection : connections_) {
      if (!connection->ended) return false;
    }
    return !listening_;
  }));
}

Task<> FakeServer::listen() {
  co_await listener_.run();
  listening_ = false;
}

Task<> FakeServer::serve(std::size_t index) {
  Connection& connection = *connections_[index];
  std::array<char, 4096> piece;
  for (;;) {
    const auto [ec, n] = co_await connection.stream.async_read_some(asio::buffer(piece), use_tuple);
    if (ec) break;
    const std::size_t before = connection.received.size();
    connection.received.append(piece.data(), n);
    if (!automatic.empty() &&
        connection.received.find("\r\n\r\n", before < 3 ? 0 : before - 3) != std::string::npos) {
      write_all(connection.stream, automatic);
    }
  }
  connection.ended = true;
}

std::size_t FakeServer::requests() const {
  std::size_t heads = 0;
  for (const auto& connection : connections_) {
    std::size_t at = 0;
    while ((at = connection->received.find("\r\n\r\n", at)) != std::string::npos) {
      ++heads;
      at += 4;
    }
  }
  return heads;
}

void FakeServer::send(std::size_t connection, std::string_view bytes) {
  write_all(connections_.at(connection)->stream, bytes);
}

void FakeServer::close(std::size_t connection) {
  ErrorCode ignored;
  connections_.at(connection)->gone = true;
  connections_.at(connection)->stream.close(ignored);
}

void FakeServer::reset(std::size_t connection) {
  ErrorCode ignored;
  connections_.at(connection)->stream.set_option(asio::socket_base::linger(true, 0), ignored);
  close(connection);
}

RawClient::RawClient(LoopbackShard& shard, tcp::endpoint to)
    : stream_(shard.loop.get_executor()), shard_(shard) {
  stream_.connect(to);
  shard.scope.spawn(read());
}

RawClient::~RawClient() {
  close();
  static_cast<void>(shard_.run_until([this] { return !reading_; }));
}

Task<> RawClient::read() {
  std::array<char, 65536> piece;
  for (;;) {
    const auto [ec, n] = co_await stream_.async_read_some(asio::buffer(piece), use_tuple);
    reset_ = ec && ec != asio::error::eof;
    if (ec) break;
    received_.append(piece.data(), n);
  }
  ended_ = true;
  reading_ = false;
}

void RawClient::send(std::string_view bytes) { write_all(stream_, bytes); }

void RawClient::half_close() {
  ErrorCode ignored;
  stream_.shutdown(tcp::socket::shutdown_send, ignored);
}

void RawClient::reset() {
  ErrorCode ignored;
  stream_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void RawClient::close() {
  ErrorCode ignored;
  stream_.close(ignored);
}

}  // namespace pilotlight::test
