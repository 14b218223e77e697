#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace pilotlight::http {

/// An answer of our own. The one place where an error becomes a status number is local_reply().
struct LocalReply {
  unsigned status = 500;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  /// Whole header lines, each with its CRLF, beside the ones every reply has.
  std::string extra_lines;

  /// The reply as bytes. `with_body`: false for HEAD. `close`: the connection ends with it.
  [[nodiscard]] std::string serialize(bool with_body, bool close, bool http10) const;
};

/// What the client of a failed request is told, with Knative's texts:
/// 503 `pending request queue full\n`, 504 `request timeout`, 503 `shutting down\n`, 502 with the
/// reason, 400 for what cannot be framed, 431 for a head that is too long.
/// `detail` replaces the error's own text in a 502.
[[nodiscard]] LocalReply local_reply(const ErrorCode& error, std::string_view detail = {});

/// RFC 9457 `application/problem+json`: status, title and detail, with `Retry-After` in seconds
/// when given. What refuses for want of room, or gives up waiting, says the cause this way.
[[nodiscard]] LocalReply problem(unsigned status, std::string_view title, std::string_view detail,
                                 std::optional<unsigned> retry_after_seconds = std::nullopt);

/// The standard reason phrase.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace pilotlight::http
