#include "common/http/local_reply.h"

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

namespace pilotlight::http {
namespace {

LocalReply plain(unsigned status, std::string body) {
  LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.extra_lines = "X-Content-Type-Options: nosniff\r\n";
  return reply;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < ' ') {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string_view reason_phrase(unsigned status) noexcept {
  const auto text = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  return std::string_view(text.data(), text.size());
}

std::string LocalReply::serialize(bool with_body, bool close, bool http10) const {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}", status,
                  reason_phrase(status), content_type, body.size(), extra_lines);
  if (close) {
    out += "Connection: close\r\n";
  } else if (http10) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  if (with_body) out += body;
  return out;
}

LocalReply local_reply(const ErrorCode& error, std::string_view detail) {
  if (error.category() == flow_category()) {
    switch (static_cast<FlowError>(error.value())) {
      case FlowError::queue_full: return plain(503, "pending request queue full\n");
      case FlowError::draining: return plain(503, "shutting down\n");
      case FlowError::bad_message: return plain(400, "malformed request\n");
      case FlowError::head_too_large: return plain(431, "request header fields too large\n");
      case FlowError::deadline_exceeded: {
        LocalReply reply = plain(504, "request timeout");  // no newline, as Knative
        return reply;
      }
      default: break;
    }
  }
  return plain(502, (detail.empty() ? error.message() : std::string(detail)) + "\n");
}

LocalReply problem(unsigned status, std::string_view title, std::string_view detail,
                   std::optional<unsigned> retry_after_seconds) {
  LocalReply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  reply.body = fmt::format("{{\"status\":{},\"title\":{},\"detail\":{}}}\n", status,
                           json_string(title), json_string(detail));
  if (retry_after_seconds) {
    reply.extra_lines = fmt::format("Retry-After: {}\r\n", *retry_after_seconds);
  }
  return reply;
}

}  // namespace pilotlight::http
