#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/json_reader.h"

namespace pilotlight::config {

/// Limits of what a revision may ask for, as Knative's; the longest timeout is ours (Knative's
/// default is 600 s, and a cluster may allow more).
inline constexpr std::int64_t kMostConcurrency = 1000;
inline constexpr std::int64_t kMostTimeoutSeconds = 3600;

/// The `pilotlight.dev/*` annotations of a pod template: what the programs know of a revision
/// before any replica reports.
struct TemplateAnnotations {
  std::optional<std::uint32_t> container_concurrency;
  std::optional<std::chrono::seconds> timeout;
  std::optional<std::chrono::seconds> response_start_timeout;
  std::optional<std::chrono::seconds> idle_timeout;
  bool hold_permit_until_answered = false;
  std::string folder;

  /// Sets what a Revision and a DeploymentView call by the same names; a timeout that is not said
  /// stays as it is.
  template <class Revision>
  void apply_to(Revision& revision) const {
    revision.container_concurrency = container_concurrency.value_or(0);
    revision.timeout = timeout.value_or(revision.timeout);
    revision.response_start_timeout = response_start_timeout;
    revision.idle_timeout = idle_timeout;
    revision.hold_permit_until_answered = hold_permit_until_answered;
  }
};

/// Reads them; problems begin with `where[key]`. With Unknown::refused other pilotlight.dev/* names
/// are problems. A 0 for the last two timeouts is none.
[[nodiscard]] TemplateAnnotations read_template_annotations(const StringMap& annotations,
                                                            const std::string& where,
                                                            Unknown unknown, Report& report);

/// Response start and idle timeouts may not be longer than the whole; a problem each.
void check_timeouts(std::chrono::seconds timeout,
                    const std::optional<std::chrono::seconds>& response_start,
                    const std::string& response_start_path,
                    const std::optional<std::chrono::seconds>& idle, const std::string& idle_path,
                    Report& report);

}  // namespace pilotlight::config
