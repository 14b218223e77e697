#include "common/wire/link.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHandshake = 2s;
constexpr Duration kTick = 1s;
constexpr Duration kSilence = 4s;  // seen at the next tick: a dead peer is noticed within 5 s

}  // namespace

Link::Link(TcpStream stream, Clock& clock, Outbox& outbox, OnFrame on_frame)
    : stream_(std::move(stream)),
      clock_(clock),
      outbox_(outbox),
      on_frame_(std::move(on_frame)),
      scope_(stream_.get_executor()),
      written_(clock.make_timer()),
      silence_(clock.make_timer()),
      born_(clock.now()),
      heard_(born_) {}

Task<> Link::run(tcp::endpoint to) {
  co_await asio::this_coro::throw_if_cancelled(false);
  scope_.spawn(watch());
  auto [ec] = co_await stream_.async_connect(to, use_tuple);
  if (ec) end("connect: " + ec.message());
  if (open_) {
    ErrorCode ignored;  // a dead connection shows at the first write
    stream_.set_option(tcp::no_delay(true), ignored);
    scope_.spawn(write_all());
    co_await read_all();
  }
  co_await scope_.join();
}

Task<> Link::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  scope_.spawn(watch());
  scope_.spawn(write_all());
  co_await read_all();
  co_await scope_.join();
}

Task<> Link::read_all() {
  ErrorCode ignored;  // a dead connection shows at the first read
  stream_.non_blocking(true, ignored);
  while (open_) {
    auto [ec] = co_await stream_.async_wait(TcpStream::wait_read, use_tuple);
    if (ec) co_return end(ec.message());
    take_bytes();
  }
}

/// Takes what has arrived. Its buffer lives on the stack: one in the coroutine would be held by
/// each of thousands of connections that say a hundred bytes a second.
void Link::take_bytes() {
  std::array<std::byte, 16 * 1024> chunk;
  ErrorCode ec;
  const std::size_t n = stream_.read_some(asio::buffer(chunk), ec);
  if (ec == asio::error::would_block) return;
  if (ec) return end(ec == asio::error::eof ? std::string("closed by the peer") : ec.message());
  heard_ = clock_.now();
  reader_.feed(std::span<const std::byte>(chunk).first(n));
  take_frames();
}

void Link::take_frames() {
  while (open_) {
    Result<std::optional<Frame>> next = reader_.next();
    if (next.has_error()) {
      bad_frame_ = true;
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
    auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(batch), use_tuple);
    writing_ = false;
    if (ec) end(ec.message());
  }
}

Task<> Link::watch() {
  while (open_) {
    const TimePoint next = clock_.now() + kTick;
    co_await silence_->wait_until(established_ ? next : std::min(next, born_ + kHandshake));
    if (!open_) co_return;
    const TimePoint now = clock_.now();
    if (!established_) {
      if (now >= born_ + kHandshake) end("no handshake within 2 s");
      continue;
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
  ErrorCode ignored;  // closed is closed
  stream_.close(ignored);
  written_->cancel();
  silence_->cancel();
}

void Link::flush_and_end(std::string_view reason) noexcept {
  if (open_ && !writing_ && stream_.is_open()) {  // half a frame is on its way while writing
    ErrorCode ec;
    stream_.non_blocking(true, ec);
    while (!ec && !outbox_.empty()) {
      const Bytes batch = outbox_.take();
      if (stream_.write_some(asio::buffer(batch), ec) < batch.size()) break;
    }
  }
  end(reason);
}

}  // namespace pilotlight::wire
