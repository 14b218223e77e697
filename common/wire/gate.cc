#include "common/wire/gate.h"

namespace pilotlight::wire {

std::string_view name_of(Refusal why) noexcept {
  switch (why) {
    case Refusal::limit: return "limit";
    case Refusal::tls: return "tls";
    case Refusal::silent: return "silent";
    case Refusal::protocol: return "protocol";
    case Refusal::version: return "version";
    case Refusal::token: return "token";
    case Refusal::audience: return "audience";
    case Refusal::role: return "role";
    case Refusal::pod: return "pod";
    case Refusal::revision: return "revision";
    case Refusal::epoch: return "epoch";
    case Refusal::unknown: return "unknown";
  }
  return "unknown";
}

ErrorCause cause_of(Refusal why) noexcept {
  switch (why) {
    case Refusal::protocol: return ErrorCause::protocol;
    case Refusal::version: return ErrorCause::version;
    case Refusal::silent: return ErrorCause::silent;
    case Refusal::epoch: return ErrorCause::replaced;
    case Refusal::limit:
    case Refusal::unknown: return ErrorCause::try_again;
    default: return ErrorCause::unauthorized;
  }
}

}  // namespace pilotlight::wire
