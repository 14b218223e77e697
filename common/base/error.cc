#include "common/base/error.h"

namespace pilotlight {
namespace {

const char* text(FlowError error) noexcept {
  switch (error) {
    case FlowError::queue_full: return "pending request queue full";
    case FlowError::deadline_exceeded: return "request timeout";
    case FlowError::draining: return "shutting down";
    case FlowError::downstream_gone: return "the client left";
    case FlowError::upstream_refused: return "no connection to the upstream";
    case FlowError::upstream_not_started: return "the upstream closed before it took the request";
    case FlowError::upstream_failed: return "the upstream failed while it had the request";
    case FlowError::bad_message: return "malformed HTTP message";
    case FlowError::head_too_large: return "message head too large";
    case FlowError::not_found: return "not found";
    case FlowError::bad_frame: return "malformed wire frame";
    case FlowError::protocol: return "wire protocol violation";
    case FlowError::unauthorized: return "wrong or missing credentials";
    case FlowError::conflict: return "the object changed meanwhile";
    case FlowError::gone: return "the resource version is too old";
    case FlowError::unexpected_status: return "unexpected HTTP status";
    case FlowError::disconnected: return "not connected";
  }
  return "unknown error";
}

class FlowCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "pilotlight"; }
  [[nodiscard]] std::string message(int value) const override {
    return text(static_cast<FlowError>(value));
  }
};

}  // namespace

const boost::system::error_category& flow_category() noexcept {
  static const FlowCategory category;
  return category;
}

ErrorCode make_error_code(FlowError error) noexcept {
  return ErrorCode(static_cast<int>(error), flow_category());
}

}  // namespace pilotlight
