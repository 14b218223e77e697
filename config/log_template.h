#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/problems.h"

namespace pilotlight::config {

/// A piece of a request-log line: text as it is, or the place of a value.
struct LogPiece {
  enum class Field : std::uint8_t {
    literal,
    request_method,
    request_uri,
    request_content_length,
    request_user_agent,
    request_remote_addr,
    request_referer,
    request_proto,
    request_host,
    request_header,
    response_code,
    response_size,
    response_latency,
    revision_name,
    revision_namespace,
    revision_service,
    revision_configuration,
    revision_pod_name,
    revision_pod_ip,
    trace_id,
  };
  Field field = Field::literal;
  bool escaped = false;  ///< Go's `js`: safe inside the quotes of a JSON or JavaScript string.
  std::string text;      ///< literal: the text; request_header: the header's name.

  friend bool operator==(const LogPiece&, const LogPiece&) = default;
};
using LogTemplate = std::vector<LogPiece>;

/// Reads the part of Go's text/template that request logs are written in: `{{.Request.Method}}`,
/// `{{js .Request.RequestURI}}`, `{{.Request.RequestURI | js}}`, and for headers
/// `{{.Request.Header.Get "Name"}}` and `{{index .Request.Header "Name"}}` (the value, without Go's
/// brackets). Anything else between braces is a problem that quotes it.
[[nodiscard]] Checked<LogTemplate> parse_log_template(std::string_view text);

/// Knative's: one JSON object a line.
extern const std::string_view kDefaultLogTemplate;

}  // namespace pilotlight::config
