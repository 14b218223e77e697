#include "common/http/server_connection.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/log.h"
#include "common/http/head_parser.h"
#include "common/http/head_pieces.h"

namespace pilotlight::http {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReplyTime = 5s;   // for an answer of our own to be taken
constexpr Duration kLingerTime = 1s;  // for a client to notice that it should stop sending
constexpr std::size_t kLingerBytes = 512 * 1024;

}  // namespace

/// How long an ending may take, whatever the client does: `time`, or what is left of it when the
/// process stops. A clock of its own: the request's has been cleared, and a client that has left by
/// half may leave its last answer unread for ever.
class ServerConnection::Patience {
 public:
  Patience(ServerConnection& connection, Duration time)
      : connection_(connection),
        deadline_(connection.parts_.deadlines, &end_stream, &connection.stream_.tcp()),
        target_(connection.interruption_, &Patience::on_raised, this) {
    deadline_.set(connection.parts_.clock.now() + time);
    hurry();
  }

 private:
  static void on_raised(void* self) { static_cast<Patience*>(self)->hurry(); }

  void hurry() {
    if (connection_.interruption_.cause() != Cause::stopped) return;
    const TimePoint latest = connection_.parts_.clock.now() + kStopTime;
    deadline_.set(std::min(deadline_.when(), latest));
  }

  ServerConnection& connection_;
  Deadline deadline_;
  Interruption::Target target_;
};

ServerConnection::ServerConnection(ShardParts& parts, Transport stream)
    : parts_(parts),
      stream_(std::move(stream)),
      in_(parts.blocks),
      deadline_(parts.deadlines, &ServerConnection::on_deadline, this),
      leave_(parts.leaves, stream_.tcp().native_handle(), &ServerConnection::on_left, this) {
  ErrorCode ec;  // a connection that is gone already has no addresses; its first read says so
  const tcp::endpoint peer = stream_.tcp().remote_endpoint(ec);
  if (!ec) peer_address_ = peer.address().to_string();
  peer_line_ = "X-Forwarded-For: " + peer_address_ + "\r\n";
}

void ServerConnection::on_left(void* self) noexcept {
  auto& connection = *static_cast<ServerConnection*>(self);
  if (!connection.tunnel_) connection.interruption_.raise(Cause::left);
}

void ServerConnection::on_deadline(void* self) noexcept {
  auto& connection = *static_cast<ServerConnection*>(self);
  connection.interruption_.raise(Cause::deadline);
}

Task<Result<>> ServerConnection::handshake() {
  deadline_.set(parts_.clock.now() + kHandshakeTimeout);
  idle_ = true;  // nothing has been asked for yet: a drain may end it
  const ErrorCode ec = co_await stream_.handshake();
  idle_ = false;
  deadline_.clear();
  if (!ec) co_return Result<>();
  log_debug("TLS handshake failed", {{"peer", peer_address_}, {"error", ec.message()}});
  co_return ec;
}

Task<ErrorCode> ServerConnection::read_more() {
  const auto room = in_.prepare();
  if (room.size() == 0) co_return FlowError::head_too_large;
  IoResult got;
  if (stream_.secure()) {
    std::tie(got.error, got.bytes) = co_await stream_.read_some(room);
  } else {
    // Where a FIN is not reported, or has been, a short read must not stand for the last one.
    const bool watched = !tunnel_ && !lingers_ && !interruption_.raised();
    co_await reader_.receive(room, got, watched ? ShortRead::drained : ShortRead::proves_nothing);
  }
  in_.commit(got.bytes);
  co_return got.error;
}

Task<Result<>> ServerConnection::read_head(TimePoint idle) {
  const Interruption::Target target(interruption_, &cancel_transport, &stream_);
  if (stream_.handshake_due()) {
    const Result<> secured = co_await handshake();
    if (!secured) co_return secured;
  }
  bool first = in_.empty();
  HeadPieces pieces;
  in_.rest();
  in_.expect_short();
  deadline_.set(first ? idle : parts_.clock.now() + kHeadTimeout);
  for (;;) {
    const Result<std::size_t> used = pieces.worth_parsing(in_.view()) || in_.full()
                                         ? parse_request(in_.view(), head_)
                                         : Result<std::size_t>(0);
    if (!used) co_return used.error();
    if (*used > 0) {
      head_bytes_ = *used;
      whole_ = false;
      deadline_.clear();
      co_return Result<>();
    }
    // A client may half-close behind its last request; what has arrived is still served.
    const Cause cause = interruption_.cause();
    if (cause == Cause::deadline || cause == Cause::stopped) co_return FlowError::deadline_exceeded;
    idle_ = in_.empty();
    if (idle_ && last_) co_return FlowError::draining;
    if (first && !idle_) {  // as a rule the head is here whole: no clock is asked
      deadline_.set(parts_.clock.now() + kHeadTimeout);
      first = false;
    }
    ErrorCode ec;
    if (stream_.secure() || in_.full()) {
      ec = co_await read_more();
    } else {  // the same without a frame of its own: once per request
      IoResult got;
      co_await reader_.receive(in_.prepare(), got, ShortRead::drained);
      in_.commit(got.bytes);
      ec = got.error;
    }
    idle_ = false;
    if (ec) co_return ec;
  }
}

void ServerConnection::release_request(std::size_t early_body_taken) noexcept {
  in_.consume(head_bytes_ + early_body_taken);
  head_bytes_ = 0;
}

void ServerConnection::start_clocks(const RequestClocks& clocks, TimePoint now) {
  latest_ = now + clocks.total;
  idle_limit_ = clocks.idle.value_or(Duration::zero());
  watches_moves_ = clocks.idle || clocks.response_start;
  TimePoint first = latest_;
  if (clocks.response_start) first = std::min(first, now + *clocks.response_start);
  if (clocks.idle) first = std::min(first, now + *clocks.idle);
  deadline_.set(first);
}

void ServerConnection::restart_idle_clock() {
  if (idle_limit_ == Duration::zero()) {
    watches_moves_ = false;  // the answer has started: only the total is left
    deadline_.set(latest_);
    return;
  }
  deadline_.set(std::min(latest_, parts_.clock.now() + idle_limit_));
}

Event& ServerConnection::fresh_event() {
  if (!event_) event_.emplace(parts_.clock);
  event_->reset();
  return *event_;
}

bool ServerConnection::end_request() noexcept {
  watches_moves_ = false;
  deadline_.clear();
  interruption_.clear_deadline();
  whole_ = !interruption_.raised();
  return !last_ && whole_;
}

Task<Result<>> ServerConnection::reply(const LocalReply& answer, bool close) {
  watches_moves_ = false;
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
    const Patience patience(*this, kReplyTime);
    const auto [ec, n] = co_await stream_.write(asio::buffer(std::as_const(bytes)));
    if (ec) last_ = true;
    if (ec) co_return ec;
  }
  lingers_ = last_;
  co_return Result<>();
}

void ServerConnection::close_when_idle() noexcept {
  last_ = true;
  if (!idle_) return;
  stream_.cancel();
}

Task<> ServerConnection::linger() {
  const Patience patience(*this, kLingerTime);
  ErrorCode ec = co_await stream_.shutdown_send();
  std::size_t read = 0;
  while (!ec && read < kLingerBytes) {
    in_.consume(in_.size());
    ec = co_await read_more();
    read += in_.size();
  }
}

Task<> ServerConnection::finish() {
  if (lingers_) {
    co_await linger();
    co_return;
  }
  if (!stream_.secure() || !whole_) co_return;
  if (interruption_.raised()) {  // the process stops, or the client has gone: no time to wait
    stream_.close_notify_now();
    co_return;
  }
  const Patience patience(*this, kLingerTime);
  co_await stream_.shutdown_send();
}

void ServerConnection::reset() noexcept {
  stream_.reset_on_close();
  last_ = true;
}

}  // namespace pilotlight::http
