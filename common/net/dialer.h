#pragma once

#include "common/async/deadline_queue.h"
#include "common/base/error.h"
#include "common/net/stream.h"

namespace pilotlight {

/// Connects `stream` (closed, made on its shard) to `where` before `deadline`; TCP_NODELAY is set.
/// Errors: what the system says, or FlowError::deadline_exceeded. Cancelling the stream ends it
/// with operation_aborted. On error the stream is closed: nothing was sent.
[[nodiscard]] Task<Result<>> dial(TcpStream& stream, DeadlineQueue& deadlines, tcp::endpoint where,
                                  TimePoint deadline);

}  // namespace pilotlight
