#include "proxy/request_log.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "proxy/head_text.h"

namespace pilotlight::proxy {
namespace {

using Field = config::LogPiece::Field;

const std::string* revision_field(Field field, const RequestLog::Revision& revision) {
  switch (field) {
    case Field::revision_name: return &revision.name;
    case Field::revision_namespace: return &revision.name_space;
    case Field::revision_service: return &revision.service;
    case Field::revision_configuration: return &revision.configuration;
    case Field::revision_pod_name: return &revision.pod_name;
    case Field::revision_pod_ip: return &revision.pod_ip;
    default: return nullptr;
  }
}

/// Go's Request.ContentLength: -1 when it is not known before the end.
std::string content_length(const http::RequestHead& head) {
  if (head.framing == http::Framing::none) return "0";
  if (head.framing != http::Framing::length) return "-1";
  return std::to_string(head.content_length);
}

std::string request_field(const config::LogPiece& piece, const http::RequestHead& head,
                          std::string_view peer) {
  const auto field = [&head](std::string_view name) {
    return std::string(field_value(head.text, name));
  };
  switch (piece.field) {
    case Field::request_method: return std::string(head.method);
    case Field::request_uri: return std::string(head.target);
    case Field::request_content_length: return content_length(head);
    case Field::request_user_agent: return field("user-agent");
    case Field::request_remote_addr: return std::string(peer);
    case Field::request_referer: return field("referer");
    case Field::request_proto: return head.version == 10 ? "HTTP/1.0" : "HTTP/1.1";
    case Field::request_host: return field("host");
    case Field::request_header: return field(piece.text);
    case Field::trace_id: return trace_id(field("traceparent"), field("x-b3-traceid"));
    default: return "";
  }
}

/// A line feed in a value would end the line: a header cannot hold one, so none comes here.
void append_answer(std::string& line, Field field, const RequestLog::Answer& answer) {
  const auto out = std::back_inserter(line);
  if (field == Field::response_code) fmt::format_to(out, "{}", answer.status);
  if (field == Field::response_latency) {
    fmt::format_to(out, "{}", std::chrono::duration<double>(answer.latency).count());
  }
  if (field != Field::response_size) return;
  if (answer.body_bytes) {
    fmt::format_to(out, "{}", *answer.body_bytes);
  } else {
    line += "-1";
  }
}

bool hexadecimal(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

}  // namespace

std::string trace_id(std::string_view traceparent, std::string_view b3) {
  // version-trace-parent-flags: 2, 32, 16 and 2 digits.
  if (traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-') {
    const std::string_view id = traceparent.substr(3, 32);
    if (hexadecimal(id)) return std::string(id);
  }
  return hexadecimal(b3) && b3.size() <= 32 ? std::string(b3) : std::string();
}

std::string js_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool special =
        byte < 0x20 || byte == 0x7f || std::string_view("'<>&=").find(c) != std::string_view::npos;
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (special) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

RequestLog::RequestLog(const config::LogTemplate& pieces, const Revision& revision, bool probes,
                       LineSink& sink)
    : sink_(sink), probes_(probes) {
  for (const config::LogPiece& piece : pieces) {
    const std::string* known = revision_field(piece.field, revision);
    config::LogPiece kept = piece;
    if (known != nullptr) {
      kept.text = piece.escaped ? js_escaped(*known) : *known;
      kept.field = Field::literal;
    }
    pieces_.push_back(std::move(kept));
  }
}

RequestLog::Noted RequestLog::note(const http::RequestHead& head, std::string_view peer) const {
  Noted noted(pieces_.size());
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].field == Field::literal) continue;
    noted[i] = request_field(pieces_[i], head, peer);
    if (pieces_[i].escaped) noted[i] = js_escaped(noted[i]);
  }
  return noted;
}

void RequestLog::write(const Noted& noted, const Answer& answer) {
  line_.clear();
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].field == Field::literal) {
      line_ += pieces_[i].text;
    } else {
      line_ += noted[i];
      append_answer(line_, pieces_[i].field, answer);
    }
  }
  while (line_.ends_with('\n')) line_.pop_back();  // the sink ends it
  (void)sink_.offer(line_);                        // a dropped line is counted there
}

}  // namespace pilotlight::proxy
