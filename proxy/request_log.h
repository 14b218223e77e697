#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/line_sink.h"
#include "common/http/head.h"
#include "config/log_template.h"

namespace pilotlight::proxy {

/// Writes one line per request to a sink that never waits.
///
/// A line is put together in two steps, since a request's head is gone when its answer is through:
/// note() copies what the template wants of the head, write() adds the rest. Knative's escaping
/// (`js`), with one difference: a quote is written \u0027, so that a line in JSON stays JSON.
class RequestLog {
 public:
  /// What the template may say about the revision.
  struct Revision {
    std::string name;
    std::string name_space;
    std::string service;
    std::string configuration;
    std::string pod_name;
    std::string pod_ip;
  };
  /// What the template may say about the answer.
  struct Answer {
    unsigned status = 0;
    std::optional<std::uint64_t> body_bytes;  ///< None: no whole one of the app; shown as -1.
    Duration latency{};
  };
  using Noted = std::vector<std::string>;

  RequestLog(const config::LogTemplate& pieces, const Revision& revision, bool probes,
             LineSink& sink);

  /// Whether probes are logged too.
  [[nodiscard]] bool probes() const noexcept { return probes_; }

  /// The request's part. `peer` is `ip:port`.
  [[nodiscard]] Noted note(const http::RequestHead& head, std::string_view peer) const;
  void write(const Noted& noted, const Answer& answer);

  [[nodiscard]] std::uint64_t dropped() const noexcept { return sink_.dropped(); }

 private:
  config::LogTemplate pieces_;  // what never changes, the revision's part, is literal already
  LineSink& sink_;
  bool probes_;
  std::string line_;  // its room is used again
};

/// The trace a request belongs to: of `traceparent`, else `X-B3-TraceId`; "" when there is none or
/// it is not hexadecimal. Pure.
[[nodiscard]] std::string trace_id(std::string_view traceparent, std::string_view b3);

/// As Go's template function `js`, except for the quote.
[[nodiscard]] std::string js_escaped(std::string_view text);

}  // namespace pilotlight::proxy
