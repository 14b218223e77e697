#include "common/http/server_connection.h"

#include <boost/asio/write.hpp>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReplyTime = 5s;   // for an answer of our own to be taken
constexpr Duration kLingerTime = 1s;  // for a client to notice that it should stop sending
constexpr std::size_t kLingerBytes = 512 * 1024;

/// Ends what waits on a stream, and whatever would wait next: a cancel alone can come between two
/// steps of one write, and be lost.
void give_up(void* stream) noexcept {
  ErrorCode ignored;  // it ends either way
  static_cast<TcpStream*>(stream)->shutdown(tcp::socket::shutdown_both, ignored);
  cancel_stream(stream);
}

}  // namespace

ServerConnection::ServerConnection(ShardParts& parts, TcpStream stream)
    : parts_(parts),
      stream_(std::move(stream)),
      deadline_(parts.deadlines, &ServerConnection::on_deadline, this),
      leave_(parts.leaves, stream_.native_handle(), &ServerConnection::on_left, this) {
  ErrorCode ec;  // a connection that is gone already has no addresses; its first read says so
  const tcp::endpoint peer = stream_.remote_endpoint(ec);
  if (!ec) peer_address_ = peer.address().to_string();
  local_ = stream_.local_endpoint(ec);
}

void ServerConnection::on_left(void* self) noexcept {
  auto& connection = *static_cast<ServerConnection*>(self);
  if (!connection.tunnel_) connection.interruption_.raise(Cause::left);
}

void ServerConnection::on_deadline(void* self) noexcept {
  auto& connection = *static_cast<ServerConnection*>(self);
  connection.interruption_.raise(Cause::deadline);
}

Task<Result<>> ServerConnection::read_more() {
  const auto room = in_.prepare();
  if (room.size() == 0) co_return FlowError::head_too_large;
  const auto [ec, n] = co_await stream_.async_read_some(room, use_tuple);
  if (ec) co_return ec;
  in_.commit(n);
  co_return Result<>();
}

Task<Result<>> ServerConnection::read_head(TimePoint idle) {
  const Interruption::Target target(interruption_, &cancel_stream, &stream_);
  bool first = in_.empty();
  deadline_.set(first ? idle : parts_.clock.now() + kHeadTimeout);
  for (;;) {
    const Result<std::size_t> used = parse_request(in_.view(), head_);
    if (!used) co_return used.error();
    if (*used > 0) {
      head_bytes_ = *used;
      deadline_.clear();
      co_return Result<>();
    }
    // A client may half-close behind its last request; what has arrived is still served.
    const Cause cause = interruption_.cause();
    if (cause == Cause::deadline || cause == Cause::stopped) co_return FlowError::deadline_exceeded;
    idle_ = in_.empty();
    if (idle_ && last_) co_return FlowError::draining;
    const Result<> more = co_await read_more();
    idle_ = false;
    if (!more) co_return more;
    if (first) deadline_.set(parts_.clock.now() + kHeadTimeout);
    first = false;
  }
}

void ServerConnection::release_request(std::size_t early_body_taken) noexcept {
  in_.consume(head_bytes_ + early_body_taken);
  head_bytes_ = 0;
}

Event& ServerConnection::fresh_event() {
  if (!event_) event_.emplace(parts_.clock);
  event_->reset();
  return *event_;
}

bool ServerConnection::end_request() noexcept {
  deadline_.clear();
  interruption_.clear_deadline();
  return !last_ && !interruption_.raised();
}

Task<Result<>> ServerConnection::reply(const LocalReply& answer, bool close) {
  deadline_.clear();
  interruption_.clear_deadline();
  std::string bytes;
  if (head_bytes_ > 0) {
    // Go on only when the whole body is here; else what follows cannot be told from a request.
    BodyScanner body(head_);
    const Result<std::size_t> taken = body.scan(early_body());
    if (!taken || !body.done()) close = true;
    if (!head_.keep_alive) close = true;
    const bool with_body = !head_.is_head;
    const bool http10 = head_.version == 10;
    if (taken) release_request(*taken);
    last_ = last_ || close;
    bytes = answer.serialize(with_body, last_, http10);
  } else {
    last_ = true;
    bytes = answer.serialize(true, true, false);
  }
  {
    // A clock of its own: a client that has left by half may leave this answer unread for ever.
    Deadline patience(parts_.deadlines, &give_up, &stream_);
    patience.set(parts_.clock.now() + kReplyTime);
    const auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(bytes), use_tuple);
    if (ec) last_ = true;
    if (ec) co_return ec;
  }
  if (last_) co_await linger();
  co_return Result<>();
}

void ServerConnection::close_when_idle() noexcept {
  last_ = true;
  if (!idle_) return;
  ErrorCode ignored;  // the read ends either way
  stream_.cancel(ignored);
}

Task<> ServerConnection::linger() {
  ErrorCode ec;
  stream_.shutdown(tcp::socket::shutdown_send, ec);
  if (ec) co_return;
  Deadline patience(parts_.deadlines, &give_up, &stream_);
  patience.set(parts_.clock.now() + kLingerTime);
  std::size_t read = 0;
  while (!ec && read < kLingerBytes) {
    in_.consume(in_.size());
    auto [error, n] = co_await stream_.async_read_some(in_.prepare(), use_tuple);
    ec = error;
    read += n;
  }
}

void ServerConnection::reset() noexcept {
  ErrorCode ignored;  // a connection that is gone needs no reset
  stream_.set_option(asio::socket_base::linger(true, 0), ignored);
  last_ = true;
}

}  // namespace pilotlight::http
