#include "autoscaler/change.h"

namespace pilotlight::autoscaler {

PatchResult result_of(const PatchAnswer& answer) noexcept {
  if (!answer.error) return PatchResult::taken;
  if (answer.error == make_error_code(FlowError::not_found)) return PatchResult::missing;
  switch (answer.status) {
    case 0: break;
    case 404: return PatchResult::missing;
    case 409: return PatchResult::conflict;
    case 429: return PatchResult::too_many_requests;
    default: return answer.status < 500 ? PatchResult::refused : PatchResult::server_error;
  }
  return answer.error == make_error_code(FlowError::deadline_exceeded) ? PatchResult::timeout
                                                                       : PatchResult::connection;
}

std::string_view to_string(PatchResult result) noexcept {
  switch (result) {
    case PatchResult::taken: return "taken";
    case PatchResult::missing: return "missing";
    case PatchResult::conflict: return "conflict";
    case PatchResult::too_many_requests: return "too_many_requests";
    case PatchResult::refused: return "refused";
    case PatchResult::server_error: return "server_error";
    case PatchResult::timeout: return "timeout";
    case PatchResult::connection: return "connection";
  }
  return "unknown";
}

}  // namespace pilotlight::autoscaler
