#include "common/net/dialer.h"

namespace pilotlight {
namespace {

struct Attempt {
  TcpStream& stream;
  bool expired = false;
};

}  // namespace

Task<Result<>> dial(TcpStream& stream, DeadlineQueue& deadlines, tcp::endpoint where,
                    TimePoint deadline) {
  Attempt attempt{stream};
  Deadline clock(
      deadlines,
      [](void* context) {
        auto& late = *static_cast<Attempt*>(context);
        late.expired = true;
        ErrorCode ignored;  // the connect ends either way
        late.stream.cancel(ignored);
      },
      &attempt);
  clock.set(deadline);
  auto [ec] = co_await stream.async_connect(where, use_tuple);
  ErrorCode ignored;  // a dead connection shows at the first write
  if (!ec) {
    stream.set_option(tcp::no_delay(true), ignored);
    co_return Result<>();
  }
  stream.close(ignored);
  if (attempt.expired) co_return FlowError::deadline_exceeded;
  co_return ec;
}

}  // namespace pilotlight
