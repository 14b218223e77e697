#include "config/log_template.h"

#include <array>
#include <optional>

#include <fmt/format.h>

namespace pilotlight::config {

const std::string_view kDefaultLogTemplate =
    R"({"httpRequest": {"requestMethod": "{{.Request.Method}}", )"
    R"("requestUrl": "{{js .Request.RequestURI}}", )"
    R"("requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, )"
    R"("responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", )"
    R"("remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}", )"
    R"("referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", )"
    R"("protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"})";

namespace {

using Field = LogPiece::Field;

struct Name {
  std::string_view path;
  Field field;
};

constexpr std::array<Name, 18> kNames = {{
    {".Request.Method", Field::request_method},
    {".Request.RequestURI", Field::request_uri},
    {".Request.ContentLength", Field::request_content_length},
    {".Request.UserAgent", Field::request_user_agent},
    {".Request.RemoteAddr", Field::request_remote_addr},
    {".Request.Referer", Field::request_referer},
    {".Request.Proto", Field::request_proto},
    {".Request.Host", Field::request_host},
    {".Response.Code", Field::response_code},
    {".Response.Size", Field::response_size},
    {".Response.Latency", Field::response_latency},
    {".Revision.Name", Field::revision_name},
    {".Revision.Namespace", Field::revision_namespace},
    {".Revision.Service", Field::revision_service},
    {".Revision.Configuration", Field::revision_configuration},
    {".Revision.PodName", Field::revision_pod_name},
    {".Revision.PodIP", Field::revision_pod_ip},
    {".TraceID", Field::trace_id},
}};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Takes `word` and the white space behind it from the front. @return whether it was there.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  const std::string_view rest = text.substr(word.size());
  if (rest.empty() || (rest.front() != ' ' && rest.front() != '\t')) return false;
  text = trimmed(rest);
  return true;
}

/// The header's name, from the quoted string that is all of `text`.
std::optional<std::string> quoted_name(std::string_view text) {
  if (text.size() < 3 || text.front() != text.back()) return std::nullopt;
  if (text.front() != '"' && text.front() != '`') return std::nullopt;
  const std::string_view name = text.substr(1, text.size() - 2);
  if (name.find_first_of("\"`\\ \t:") != std::string_view::npos) return std::nullopt;
  return std::string(name);
}

/// What stands between the braces, or nothing when it is beyond the supported part.
std::optional<LogPiece> parse_action(std::string_view action) {
  LogPiece piece;
  action = trimmed(action);
  if (const std::size_t pipe = action.rfind('|'); pipe != std::string_view::npos) {
    if (trimmed(action.substr(pipe + 1)) != "js") return std::nullopt;
    piece.escaped = true;
    action = trimmed(action.substr(0, pipe));
  }
  if (take(action, "js")) {
    piece.escaped = true;
    if (action.size() > 2 && action.front() == '(' && action.back() == ')') {
      action = trimmed(action.substr(1, action.size() - 2));
    }
  }
  const bool of_header = take(action, ".Request.Header.Get") ||
                         (take(action, "index") && take(action, ".Request.Header"));
  if (of_header) {
    auto name = quoted_name(action);
    if (!name) return std::nullopt;
    piece.field = Field::request_header;
    piece.text = std::move(*name);
    return piece;
  }
  for (const Name& name : kNames) {
    if (action != name.path) continue;
    piece.field = name.field;
    return piece;
  }
  return std::nullopt;
}

void append_literal(LogTemplate& out, std::string_view text) {
  if (text.empty()) return;
  LogPiece piece;
  piece.text = text;
  out.push_back(std::move(piece));
}

}  // namespace

Checked<LogTemplate> parse_log_template(std::string_view text) {
  LogTemplate out;
  Problems problems;
  while (!text.empty()) {
    const std::size_t open = text.find("{{");
    append_literal(out, text.substr(0, open));
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find("}}", open + 2);
    if (close == std::string_view::npos) {
      problems.push_back(got_expected(in_quotes(text.substr(open)), "}} behind it"));
      break;
    }
    if (auto piece = parse_action(text.substr(open + 2, close - open - 2))) {
      out.push_back(std::move(*piece));
    } else {
      problems.push_back(got_expected(
          in_quotes(text.substr(open, close + 2 - open)),
          "a field of .Request, .Response or .Revision, or .TraceID, alone or with js"));
    }
    text.remove_prefix(close + 2);
  }
  if (!problems.empty()) return problems;
  return out;
}

}  // namespace pilotlight::config
