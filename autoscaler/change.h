#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autoscaler/decider.h"
#include "common/base/error.h"

namespace pilotlight::autoscaler {

/// What a pod's end costs: of those that are ready the one with the lowest goes first.
struct PodCost {
  std::string pod;
  std::int32_t cost = 0;

  friend bool operator==(const PodCost&, const PodCost&) = default;
};

/// A change of replicas, with what is told about it afterwards.
struct Change {
  std::int32_t from = 0;
  std::int32_t to = 0;
  Reason reason = Reason::load;
  std::string text;  ///< For people: why.
  std::optional<TimePoint> poked_at;
  TimePoint decided_at{};
  std::vector<PodCost> costs;  ///< To be set before: so that the idle ones go.
};

/// What the API said to one attempt.
struct PatchAnswer {
  ErrorCode error;                      ///< None: it was taken.
  unsigned status = 0;                  ///< Of HTTP; 0 when no answer came.
  std::optional<Duration> retry_after;  ///< What the API asked for.
  std::string message;                  ///< The words of its refusal, at most 500 bytes; or "".
};

/// In what way an attempt ended. The label of a metric, so a closed set.
enum class PatchResult : std::uint8_t {
  taken,
  missing,            ///< 404: no such Deployment, so the change is given up.
  conflict,           ///< 409
  too_many_requests,  ///< 429
  refused,            ///< Any other status below 500: credentials, rights, an invalid number.
  server_error,       ///< 5xx
  timeout,            ///< No answer in time. It may have been taken.
  connection,         ///< Not connected, or the connection broke. It may have been taken.
};
inline constexpr std::size_t kPatchResults = 8;

[[nodiscard]] PatchResult result_of(const PatchAnswer& answer) noexcept;

/// "taken", "conflict", ...: the word in metrics and in `status`.
[[nodiscard]] std::string_view to_string(PatchResult result) noexcept;

/// One attempt to carry a Change to the API, with everything that can be told about it.
struct PatchOutcome {
  Change change;
  unsigned attempt = 1;  ///< The first one is 1. Starts anew when one was taken.
  PatchResult result = PatchResult::taken;
  PatchAnswer answer;
  TimePoint sent_at{};
  TimePoint ended_at{};
  std::optional<TimePoint> retry_at;  ///< It failed and will be tried again, then or soon after.
  bool superseded = false;            ///< A newer change of the revision goes out in its place.
};

}  // namespace pilotlight::autoscaler
