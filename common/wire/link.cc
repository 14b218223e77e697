#include "common/wire/link.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHandshake = 2s;
constexpr Duration kTick = 1s;
constexpr Duration kSilence = 4s;  // seen at the next tick: a dead peer is noticed within 5 s

}  // namespace

Link::Link(Transport stream, Clock& clock, Outbox& outbox, OnFrame on_frame)
    : stream_(std::move(stream)),
      clock_(clock),
      outbox_(outbox),
      on_frame_(std::move(on_frame)),
      scope_(stream_.tcp().get_executor()),
      written_(clock.make_timer()),
      silence_(clock.make_timer()),
      born_(clock.now()),
      heard_(born_) {}

Task<> Link::run(tcp::endpoint to) {
  co_await asio::this_coro::throw_if_cancelled(false);
  scope_.spawn(watch());
  auto [ec] = co_await stream_.tcp().async_connect(to, use_tuple);
  if (ec) end("connect: " + ec.message());
  ErrorCode ignored;  // a dead connection shows at the first write
  if (open_) stream_.tcp().set_option(tcp::no_delay(true), ignored);
  co_await serve();
}

Task<> Link::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  scope_.spawn(watch());
  co_await serve();
}

Task<> Link::serve() {
  const bool shaken = co_await shake_hands();
  if (shaken) {
    scope_.spawn(write_all());
    co_await read_all();
  }
  if (held_) scope_.cancel(asio::cancellation_type::terminal);
  co_await scope_.join();
}

/// @return whether there is a connection to talk on.
Task<bool> Link::shake_hands() {
  if (open_ && stream_.handshake_due()) {
    const ErrorCode ec = co_await stream_.handshake();
    if (ec && open_) {
      how_ = End::tls;
      end("TLS: " + ec.message());
    }
  }
  co_return open_;
}

Task<> Link::read_all() {
  ErrorCode ignored;  // a dead connection shows at the first read
  stream_.tcp().non_blocking(true, ignored);
  bool drained = !stream_.secure();  // a handshake may have taken more than its own bytes
  while (open_) {
    if (held_) {
      co_await released_->wait_until(TimePoint::max());
      if (!held_) take_frames();
      continue;
    }
    co_await wait_for_bytes(drained);
    if (open_) drained = take_bytes();
  }
}

/// For the socket, or only for the others' turn while TLS may still have some.
Task<> Link::wait_for_bytes(bool drained) {
  if (drained) {
    const auto [ec] = co_await stream_.tcp().async_wait(TcpStream::wait_read, use_tuple);
    if (ec) end(ec.message());
    co_return;
  }
  co_await asio::post(stream_.tcp().get_executor(), asio::use_awaitable_t<Executor>());
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) end("cancelled");
}

void Link::hold_for(Task<> decision) {
  held_ = true;
  if (!released_) released_ = clock_.make_timer();
  scope_.spawn(release_after(std::move(decision)));
}

Task<> Link::release_after(Task<> decision) {
  co_await std::move(decision);
  held_ = false;
  released_->cancel();
}

/// Takes what has arrived. Its buffer lives on the stack: one in the coroutine would be held by
/// each of thousands of connections that say a hundred bytes a second.
/// @return whether the socket would show if there is more.
bool Link::take_bytes() {
  std::array<std::byte, 16 * 1024> chunk;
  const auto [ec, n] = stream_.read_now(asio::buffer(chunk));
  if (ec == asio::error::would_block) return true;
  if (ec) {
    end(ec == asio::error::eof ? std::string("closed by the peer") : ec.message());
    return true;
  }
  heard_ = clock_.now();
  reader_.feed(std::span<const std::byte>(chunk).first(n));
  take_frames();
  return !stream_.secure();
}

void Link::take_frames() {
  while (open_ && !held_) {
    Result<std::optional<Frame>> next = reader_.next();
    if (next.has_error()) {
      how_ = End::bad_frame;
      Error error;
      error.code = ErrorCause::bad_frame;
      error.text = next.error().message();
      static_cast<void>(outbox_.push(error));  // a full outbox has no room for courtesy
      flush_and_end(error.text);
      return;
    }
    if (!next->has_value()) return;
    handle(std::move(**next));
  }
}

void Link::handle(Frame frame) {
  if (const auto* ping = std::get_if<Ping>(&frame)) {
    Pong pong;
    pong.id = ping->id;
    if (!outbox_.push(pong)) return end("the peer does not read");
    return wake();
  }
  if (std::holds_alternative<Pong>(frame)) return;
  if (const auto* error = std::get_if<Error>(&frame)) return end("refused: " + error->text);
  on_frame_(std::move(frame));
}

Task<> Link::write_all() {
  while (open_) {
    const Bytes batch = outbox_.take();
    if (batch.empty()) {
      co_await written_->wait_until(TimePoint::max());
      continue;
    }
    writing_ = true;
    const auto [ec, n] = co_await stream_.write(asio::buffer(batch));
    writing_ = false;
    if (ec) end(ec.message());
  }
}

TimePoint Link::established_by() const noexcept { return born_ + kHandshake; }

Task<> Link::watch() {
  while (open_) {
    const TimePoint next = clock_.now() + kTick;
    co_await silence_->wait_until(established_ ? next : std::min(next, established_by()));
    if (!open_) co_return;
    const TimePoint now = clock_.now();
    if (!established_) {
      if (now < established_by()) continue;
      how_ = End::late;
      end("no handshake within 2 s");
    }
    if (now - heard_ >= kSilence) {
      end("nothing heard for 4 s");
    } else if (now - heard_ >= kTick) {
      static_cast<void>(outbox_.push(Ping()));  // full: what waits there keeps the link alive too
      wake();
    }
  }
}

void Link::end(std::string_view reason) noexcept {
  if (!open_) return;
  open_ = false;
  reason_ = reason;
  // Cancelled first: what resumes later must not take the descriptor, which may be another's then.
  stream_.cancel();
  ErrorCode ignored;  // closed is closed
  stream_.tcp().close(ignored);
  written_->cancel();
  silence_->cancel();
  if (released_) released_->cancel();
}

void Link::flush_and_end(std::string_view reason) noexcept {
  // Half a frame is on its way while writing; before the handshake nothing can be.
  if (open_ && !writing_ && stream_.tcp().is_open() && !stream_.handshake_due()) {
    bool whole = true;
    while (whole && !outbox_.empty()) {
      const Bytes batch = outbox_.take();
      const std::string_view bytes(reinterpret_cast<const char*>(batch.data()), batch.size());
      whole = stream_.write_last(bytes).bytes == bytes.size();
    }
    if (whole) stream_.close_notify_now();
  }
  end(reason);
}

}  // namespace pilotlight::wire
