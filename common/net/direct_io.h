#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/version.hpp>

#include "common/base/error.h"
#include "common/net/stream.h"

/// Reading and writing on the data path, where a request has 8,000 instructions for everything and
/// no system call to waste. Elsewhere use Asio's operations with use_tuple: they do the same and
/// are easier to read. Why this goes below Asio's public interface: docs/adr/0009.
static_assert(BOOST_VERSION / 100 == 1081, "read direct_io.* again beside the new Asio");

namespace pilotlight {

/// What came of one read or write.
struct IoResult {
  ErrorCode error;
  std::size_t bytes = 0;
};

/// Writes as much as the socket takes now, in one system call, and never waits: 0 bytes and no
/// error when it takes none. `second` goes behind `first`; either may be empty.
[[nodiscard]] IoResult write_now(TcpStream& stream, std::string_view first,
                                 std::string_view second = {}) noexcept;

/// What a read that did not fill its room says of the socket.
enum class ShortRead : bool {
  proves_nothing,  ///< And this read asks the socket first, whatever the one before has proved.
  /// Nothing is left, so the next read waits for news before it asks. Only where somebody else
  /// watches for the peer's FIN (LeaveWatch): one that came with the last bytes is no news.
  drained,
};

/// One read under way: Asio's reactor operation itself, living in the frame of the coroutine that
/// awaits it. A use_awaitable read would take a coroutine frame, a handler and a cancellation slot,
/// and ask the socket once in vain before it waits; this one is cancelled through the stream.
class Reception final : public asio::detail::reactor_op {
 public:
  Reception(asio::detail::reactor& reactor, TcpStream& stream, asio::mutable_buffer room,
            ShortRead short_read, IoResult& result) noexcept;
  Reception(Reception&& other) noexcept;

  using Thread = asio::detail::awaitable_thread<Executor>;
  using Frame = asio::detail::awaitable_frame_base<Executor>;

  /// Called by Asio once the coroutine is suspended.
  Thread* operator()(Frame* frame);

 private:
  static status try_now(asio::detail::reactor_op* self);
  static void complete(void* owner, asio::detail::operation* self, const ErrorCode& error,
                       std::size_t bytes);

  asio::detail::reactor& reactor_;
  TcpStream& stream_;
  asio::mutable_buffer room_;
  ShortRead short_read_;
  IoResult& result_;
  Frame* frame_ = nullptr;
  std::optional<Thread> suspended_;
};

/// Reads one stream. Lives beside it, on its shard.
class DirectReader {
 public:
  explicit DirectReader(TcpStream& stream);

  /// `co_await reader.receive(room, got)`: suspends until at least one byte has been read into
  /// `room`, or an error; cancel the stream to end it. Both must live until then.
  [[nodiscard]] Reception receive(asio::mutable_buffer room, IoResult& got,
                                  ShortRead short_read = ShortRead::proves_nothing) noexcept {
    return Reception(reactor_, stream_, room, short_read, got);
  }

 private:
  TcpStream& stream_;
  asio::detail::reactor& reactor_;
};

}  // namespace pilotlight
