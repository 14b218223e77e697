#include "config/template_annotations.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "config/revision.h"
#include "config/scalars.h"

namespace pilotlight::config {
namespace {

constexpr std::string_view kPrefix = "pilotlight.dev/";
constexpr std::array<std::string_view, 6> kNames = {kConcurrencyAnnotation,   kTimeoutAnnotation,
                                                    kResponseStartAnnotation, kIdleAnnotation,
                                                    kHoldPermitAnnotation,    kFolderAnnotation};

class TemplateReader {
 public:
  TemplateReader(const StringMap& annotations, const std::string& where, Report& report)
      : annotations_(annotations), where_(where), report_(report) {}

  TemplateAnnotations read() {
    TemplateAnnotations out;
    if (const auto n = integer(kConcurrencyAnnotation, 0, kMostConcurrency)) {
      out.container_concurrency = static_cast<std::uint32_t>(*n);
    }
    if (const auto n = integer(kTimeoutAnnotation, 1, kMostTimeoutSeconds)) {
      out.timeout = std::chrono::seconds(*n);
    }
    out.response_start_timeout = seconds(kResponseStartAnnotation);
    out.idle_timeout = seconds(kIdleAnnotation);
    if (const auto found = annotations_.find(kHoldPermitAnnotation); found != annotations_.end()) {
      out.hold_permit_until_answered = found->second == "until-answered";
      if (!out.hold_permit_until_answered && found->second != "until-closed") {
        report_.wrong(join(where_, found->first), in_quotes(found->second),
                      "until-answered or until-closed");
      }
    }
    if (const auto found = annotations_.find(kFolderAnnotation); found != annotations_.end()) {
      out.folder = found->second;
    }
    return out;
  }

  void refuse_others() {
    for (const auto& [key, value] : annotations_) {
      if (!key.starts_with(kPrefix)) continue;
      if (std::find(kNames.begin(), kNames.end(), key) != kNames.end()) continue;
      report_.wrong(join(where_, key), "an unknown annotation",
                    "pilotlight.dev/<one of container-concurrency, timeout-seconds, "
                    "response-start-timeout-seconds, idle-timeout-seconds, hold-permit>");
    }
  }

 private:
  std::optional<std::int64_t> integer(const char* key, std::int64_t least, std::int64_t most) {
    const auto found = annotations_.find(key);
    if (found == annotations_.end()) return std::nullopt;
    const auto value = parse_integer(found->second);
    if (value && *value >= least && *value <= most) return value;
    report_.wrong(join(where_, found->first), in_quotes(found->second),
                  fmt::format("an integer in [{}, {}]", least, most));
    return std::nullopt;
  }

  std::optional<std::chrono::seconds> seconds(const char* key) {
    const auto value = integer(key, 0, kMostTimeoutSeconds);
    if (!value || *value == 0) return std::nullopt;
    return std::chrono::seconds(*value);
  }

  const StringMap& annotations_;
  const std::string& where_;
  Report& report_;
};

}  // namespace

TemplateAnnotations read_template_annotations(const StringMap& annotations,
                                              const std::string& where, Unknown unknown,
                                              Report& report) {
  TemplateReader reader(annotations, where, report);
  if (unknown == Unknown::refused) reader.refuse_others();
  return reader.read();
}

void check_timeouts(std::chrono::seconds timeout,
                    const std::optional<std::chrono::seconds>& response_start,
                    const std::string& response_start_path,
                    const std::optional<std::chrono::seconds>& idle, const std::string& idle_path,
                    Report& report) {
  const std::string expected =
      fmt::format("at most the timeout of the whole request, which is {}", timeout.count());
  if (response_start && *response_start > timeout) {
    report.wrong(response_start_path, fmt::format("{}", response_start->count()), expected);
  }
  if (idle && *idle > timeout) {
    report.wrong(idle_path, fmt::format("{}", idle->count()), expected);
  }
}

}  // namespace pilotlight::config
