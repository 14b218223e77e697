#include "common/http/upstream.h"

#include <algorithm>

#include "common/http/body.h"
#include "common/http/head_parser.h"
#include "common/net/dialer.h"
#include "common/net/socket_facts.h"

namespace pilotlight::http {
namespace {

/// No server waits less for the next request: gunicorn's 2 s are the shortest that is common.
constexpr std::chrono::milliseconds kShortestTimeout{100};

/// For so long a connection counts as still in use: what comes then was on its way when the last
/// answer was read, and could as well come right after a look.
constexpr std::chrono::microseconds kJustUsed{50};

}  // namespace

void UpstreamConnection::watch() {
  leave_.emplace(parts_.leaves, stream_.native_handle(), &UpstreamConnection::on_finished, this);
}

void UpstreamConnection::on_finished(void* self) noexcept {
  auto& connection = *static_cast<UpstreamConnection*>(self);
  if (connection.idles_in_ != nullptr) {
    connection.idles_in_->closed_while_idle(connection);
    return;  // it is gone
  }
  connection.finished_ = true;
  connection.look_again_ = true;
  cancel_stream(&connection.stream_);
}

bool UpstreamConnection::just_used(TimePoint now) const noexcept {
  // Apps that send a body where there is none, to HEAD or with 204, are known to exist.
  return head_.framing != Framing::none && now - idle_since_ < kJustUsed;
}

bool UpstreamConnection::nothing_acknowledged() noexcept {
  const auto acked = bytes_acked(stream_.native_handle());
  return acked && *acked <= sent_before_ + 1;  // the SYN counts as one
}

Task<bool> UpstreamConnection::read_some(TimePoint until) {
  Deadline deadline(parts_.deadlines, &cancel_stream, &stream_);
  if (until <= parts_.clock.now()) co_return false;
  deadline.set(until);
  const auto room = in_.prepare();
  IoResult got;
  do {
    co_await receive(room, got);
  } while (retry(got));
  in_.commit(got.bytes);
  co_return !got.error;
}

Task<> UpstreamConnection::hang_up(TimePoint until) {
  ErrorCode ec;
  stream_.shutdown(tcp::socket::shutdown_send, ec);
  while (!ec) {
    in_.consume(in_.size());
    const bool more = co_await read_some(until);
    if (!more) break;
  }
  leave_.reset();  // before its descriptor can be somebody else's
  stream_.close(ec);
}

Task<> UpstreamConnection::absorb_answer(std::optional<BodyScanner> rest, bool to_head_request,
                                         TimePoint until) {
  while (!rest) {
    const Result<std::size_t> used = parse_response(in_.view(), to_head_request, head_);
    if (!used) co_return;
    in_.consume(*used);
    if (*used > 0 && !head_.interim()) rest = BodyScanner(head_);
    if (*used > 0) continue;
    if (in_.full()) co_return;
    const bool more = co_await read_some(until);
    if (!more) co_return;
  }
  while (!rest->done()) {
    const Result<std::size_t> taken = rest->scan(in_.view());
    if (!taken) co_return;
    in_.consume(*taken);
    if (rest->done()) co_return;
    const bool more = co_await read_some(until);
    if (!more) co_return;
  }
}

std::optional<UpstreamPool::Checkout> UpstreamPool::take_idle(TimePoint now) {
  while (!idle_.empty()) {
    std::unique_ptr<UpstreamConnection> last = std::move(idle_.back());
    idle_.pop_back();
    if (last->idle_until_ <= now) {
      idle_.clear();  // all others are older
      return std::nullopt;
    }
    last->idles_in_ = nullptr;
    if (last->just_used(now) || idle_and_open(last->stream_.native_handle())) {
      return std::make_optional<Checkout>(*this, std::move(last));
    }
    learn(now - last->idle_since_);
  }
  return std::nullopt;
}

void UpstreamPool::closed_while_idle(UpstreamConnection& connection) noexcept {
  learn(parts_.clock.now() - connection.idle_since_);
  std::erase_if(idle_, [&connection](const auto& idle) { return idle.get() == &connection; });
}

void UpstreamPool::learn(Duration idled) noexcept {
  if (idled >= kShortestTimeout) shortest_close_ = std::min(shortest_close_, idled);
}

Duration UpstreamPool::keep_time(const ResponseHead& last) const noexcept {
  Duration keep = params_.idle_timeout;
  if (last.keep_alive_seconds) {
    // A second less than the upstream says, so that ours is the side that gives up first.
    const auto says = std::chrono::seconds(*last.keep_alive_seconds) - std::chrono::seconds(1);
    keep = std::min<Duration>(keep, std::max<Duration>(says, Duration::zero()));
  }
  if (shortest_close_ != Duration::max()) keep = std::min(keep, shortest_close_ / 2);
  return keep;
}

void UpstreamPool::put_back(std::unique_ptr<UpstreamConnection> connection, TimePoint now) {
  if (params_.idle_limit == 0 || connection->finished_) return;
  const bool crowded = idle_.size() >= params_.idle_limit;
  if (crowded || (!idle_.empty() && idle_.front()->idle_until_ <= now)) drop_old(now);
  connection->reused_ = true;
  connection->in_.rest();
  connection->idle_since_ = now;
  connection->idle_until_ = now + keep_time(connection->head_);
  connection->idles_in_ = this;
  idle_.push_back(std::move(connection));
}

/// Closes the oldest: those whose time is up, and one more where there is no room.
void UpstreamPool::drop_old(TimePoint now) {
  auto end = std::find_if(idle_.begin(), idle_.end(),
                          [now](const auto& idle) { return idle->idle_until_ > now; });
  if (end == idle_.begin() && idle_.size() >= params_.idle_limit) ++end;
  idle_.erase(idle_.begin(), end);
}

Task<Result<UpstreamPool::Checkout>> UpstreamPool::take(TimePoint deadline,
                                                        Interruption& interruption) {
  if (auto idle = take_idle(parts_.clock.now())) co_return std::move(*idle);
  auto fresh = std::make_unique<UpstreamConnection>(parts_);
  const Interruption::Target target(interruption, &cancel_stream, &fresh->stream_);
  const TimePoint latest = std::min(deadline, parts_.clock.now() + params_.dial_timeout);
  Result<> dialed = FlowError::upstream_refused;
  if (!interruption.raised()) {  // nothing was there to be ended when it was
    dialed = co_await dial(fresh->stream_, parts_.deadlines, params_.address, latest);
  }
  if (dialed) {
    fresh->watch();
    co_return Checkout(*this, std::move(fresh));
  }
  if (dialed.error() == asio::error::connection_refused) shortest_close_ = Duration::max();
  if (interruption.raised()) co_return interruption.error();
  co_return FlowError::upstream_refused;
}

}  // namespace pilotlight::http
