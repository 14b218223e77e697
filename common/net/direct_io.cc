#include "common/net/direct_io.h"

#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>

#include "common/net/system_calls.h"

namespace pilotlight {
namespace {

/// Names a protected member of Asio's sockets: the only way to their place in the reactor.
struct Inside : TcpStream {
  static constexpr auto kImpl = &Inside::impl_;
};

/// The coroutine's thread of execution, on its way back into it.
struct Resumption : Reception::Thread {
  using Thread = Reception::Thread;
  explicit Resumption(Thread&& suspended) noexcept : Thread(std::move(suspended)) {}
  using Thread::pump;
};

ErrorCode system_error(int number) { return ErrorCode(number, boost::system::system_category()); }

}  // namespace

IoResult write_now(TcpStream& stream, std::string_view first, std::string_view second) noexcept {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  const int descriptor = stream.native_handle();
  IoResult result;
  ssize_t n = 0;
  do {
    if (second.empty()) {
      n = pilotlight_send(descriptor, first.data(), first.size(), kFlags);
    } else {
      // sendmsg() only reads through these pointers; its interface just cannot say so.
      std::array<iovec, 2> pieces{{{const_cast<char*>(first.data()), first.size()},
                                   {const_cast<char*>(second.data()), second.size()}}};
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = pieces.size();
      n = pilotlight_sendmsg(descriptor, &message, kFlags);
    }
  } while (n < 0 && errno == EINTR);
  if (n >= 0) {
    result.bytes = static_cast<std::size_t>(n);
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    result.error = system_error(errno);
  }
  return result;
}

Reception::Reception(asio::detail::reactor& reactor, TcpStream& stream, asio::mutable_buffer room,
                     ShortRead short_read, IoResult& result) noexcept
    : reactor_op(ErrorCode(), &Reception::try_now, &Reception::complete),
      reactor_(reactor),
      stream_(stream),
      room_(room),
      short_read_(short_read),
      result_(result) {}

// Only before it starts: from then on the reactor holds its address.
Reception::Reception(Reception&& other) noexcept
    : Reception(other.reactor_, other.stream_, other.room_, other.short_read_, other.result_) {}

Reception::Thread* Reception::operator()(Frame* frame) {
  frame_ = frame;
  suspended_.emplace(std::move(*frame->detach_thread()));
  auto& implementation = (stream_.*Inside::kImpl).get_implementation();
  constexpr bool kContinuation = false;
  constexpr bool kMayTryNow = true;
  // After a drained read the reactor would not ask the socket before there is news.
  if (short_read_ == ShortRead::proves_nothing && try_now(this) != not_done) {
    reactor_.post_immediate_completion(this, kContinuation);
    return nullptr;
  }
  reactor_.start_op(asio::detail::reactor::read_op, implementation.socket_,
                    implementation.reactor_data_, this, kContinuation, kMayTryNow);
  return nullptr;
}

Reception::status Reception::try_now(asio::detail::reactor_op* self) {
  auto& read = *static_cast<Reception*>(self);
  ssize_t n = 0;
  do {
    n = pilotlight_recv(read.stream_.native_handle(), read.room_.data(), read.room_.size(),
                        MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return not_done;
    read.ec_ = system_error(errno);
    return done;
  }
  read.bytes_transferred_ = static_cast<std::size_t>(n);
  if (n == 0) {
    read.ec_ = asio::error::eof;
    return done;
  }
  const bool drained =
      read.short_read_ == ShortRead::drained && read.bytes_transferred_ < read.room_.size();
  return drained ? done_and_exhausted : done;
}

void Reception::complete(void* owner, asio::detail::operation* self, const ErrorCode&,
                         std::size_t) {
  auto& read = *static_cast<Reception*>(self);
  // The coroutine ends this object when it goes on, or when it is destroyed with its loop.
  Resumption thread(std::move(*read.suspended_));
  read.suspended_.reset();
  if (owner == nullptr) return;
  read.result_.error = read.ec_;
  read.result_.bytes = read.bytes_transferred_;
  read.frame_->attach_thread(&thread);
  thread.pump();
}

DirectReader::DirectReader(TcpStream& stream)
    : stream_(stream),
      reactor_(asio::use_service<asio::detail::reactor>(stream.get_executor().context())) {}

}  // namespace pilotlight
