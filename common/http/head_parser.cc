#include "common/http/head_parser.h"

#include <charconv>
#include <limits>
#include <optional>

#include "common/http/authority.h"
#include "common/http/head_grammar.h"
#include "common/http/read_buffer.h"

namespace pilotlight::http {
namespace {

using Step = HeadCursor::Step;

/// More fields of interest, or names in `Connection`, is an attack: each is looked for in all
/// others.
constexpr std::size_t kFieldsMax = 256;
constexpr int kNominationsMax = 64;

/// The lines behind the first one, up to and including the empty line.
Step parse_fields(HeadCursor& cursor, Head& head) {
  for (;;) {
    bool empty = false;
    Step step = cursor.empty_line(empty);
    if (step != Step::ok || empty) return step;
    const std::size_t begin = cursor.taken();
    std::string_view name;
    std::string_view value;
    step = cursor.token(':', name);
    if (step == Step::ok) step = cursor.rest_of_line(value);
    if (step != Step::ok) return step;
    const FieldKind kind = field_kind(name);
    if (kind == FieldKind::other) continue;
    if (head.fields.size() == kFieldsMax) return Step::too_many;
    Field found;
    found.kind = kind;
    found.begin = static_cast<std::uint32_t>(begin);
    found.end = static_cast<std::uint32_t>(cursor.taken());
    found.value = value;
    head.add(found);
  }
}

/// What a parse of `bytes` that could not go on returns.
Result<std::size_t> stopped(Step step, std::string_view bytes) {
  if (step == Step::bad) return FlowError::bad_message;
  if (step == Step::too_many || bytes.size() >= ReadBuffer::kLimit)
    return FlowError::head_too_large;
  return std::size_t{0};
}

/// What `Connection` says, over all its lines: persistence (RFC 9112, section 9.3), upgrade, and
/// whether it nominates fields of the message. @return false for what is no list of tokens.
bool read_connection(Head& head) noexcept {
  head.keep_alive = head.version == 11;
  if (!head.has(FieldKind::connection) && !head.has(FieldKind::proxy_connection)) return true;
  bool says_upgrade = false;
  bool says_close = false;
  bool says_keep_alive = false;
  int nominations = 0;
  for (const Field& f : head.fields) {
    if (f.kind != FieldKind::connection && f.kind != FieldKind::proxy_connection) continue;
    std::string_view list = f.value;
    while (!list.empty()) {
      const std::string_view token = next_element(list);
      if (!token.empty() && !is_token(token)) return false;
      if (f.kind != FieldKind::connection) continue;
      if (same_name(token, "upgrade")) {
        says_upgrade = true;
      } else if (same_name(token, "close")) {
        says_close = true;
      } else if (same_name(token, "keep-alive")) {
        says_keep_alive = true;
      } else if (!token.empty() && !same_name(token, "te")) {
        head.connection_names = true;
        if (++nominations > kNominationsMax) return false;
      }
    }
  }
  head.keep_alive = !says_close && (head.version == 11 || says_keep_alive);
  head.upgrade = says_upgrade && head.has(FieldKind::upgrade) && head.version == 11 &&
                 upgrade_leaves_http(head.value(FieldKind::upgrade));
  return true;
}

void read_keep_alive_timeout(ResponseHead& head) noexcept {
  std::string_view list = head.value(FieldKind::keep_alive);
  while (!list.empty()) {
    const std::string_view element = next_element(list);
    if (element.size() <= 8 || !same_name(element.substr(0, 8), "timeout=")) continue;
    std::uint32_t seconds = 0;
    const auto digits = element.substr(8);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (error == std::errc() && end == digits.data() + digits.size()) {
      head.keep_alive_seconds = seconds;
    }
  }
}

/// The white space that a robust server skips before a request line (RFC 9112, section 2.2).
std::size_t empty_lines(std::string_view bytes) noexcept {
  std::size_t n = 0;
  while (bytes.size() >= n + 2 && bytes[n] == '\r' && bytes[n + 1] == '\n') n += 2;
  return n;
}

/// Digits only, and within 64 bits; nothing otherwise. A list of equal lengths is legal, and read
/// differently by different hops.
std::optional<std::uint64_t> parse_length(std::string_view digits) noexcept {
  constexpr std::uint64_t kTenthOfAll = std::numeric_limits<std::uint64_t>::max() / 10;
  std::uint64_t length = 0;
  for (const char c : digits) {
    // One digit short of what 64 bits hold: nobody has a longer body.
    if (c < '0' || c > '9' || length >= kTenthOfAll) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (digits.empty()) return std::nullopt;
  return length;
}

/// How the body of a message with these fields ends, when it has one; `missing` when they do not
/// say. Refuses lengths and codings that two hops could read differently: `chunked` alone, of an
/// HTTP/1.1 message without a length, is the one coding that every hop frames alike.
Result<> read_framing(Head& head, Framing missing) noexcept {
  head.framing = missing;
  const bool coded = head.has(FieldKind::transfer_encoding);
  const bool sized = head.has(FieldKind::content_length);
  if (coded) {
    const bool clear = !sized && head.version == 11 &&
                       !head.repeats(FieldKind::transfer_encoding) &&
                       same_name(head.value(FieldKind::transfer_encoding), "chunked");
    if (!clear) return FlowError::bad_message;
    head.framing = Framing::chunked;
  } else if (sized) {
    const auto length = parse_length(head.value(FieldKind::content_length));
    if (!length || head.repeats(FieldKind::content_length)) return FlowError::bad_message;
    head.framing = Framing::length;
    head.content_length = *length;
  }
  return {};
}

}  // namespace

std::string_view next_element(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  std::string_view element = list.substr(0, comma);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  while (!element.empty() && (element.front() == ' ' || element.front() == '\t')) {
    element.remove_prefix(1);
  }
  while (!element.empty() && (element.back() == ' ' || element.back() == '\t')) {
    element.remove_suffix(1);
  }
  return element;
}

bool has_token(std::string_view value, std::string_view name) noexcept {
  while (!value.empty()) {
    if (same_name(next_element(value), name)) return true;
  }
  return false;
}

const Field* Head::find(FieldKind kind) const noexcept {
  if (!has(kind)) return nullptr;
  for (const Field& f : fields) {
    if (f.kind == kind) return &f;
  }
  return nullptr;
}

std::string_view Head::value(FieldKind kind) const noexcept {
  const Field* found = find(kind);
  return found == nullptr ? std::string_view() : found->value;
}

void Head::clear() noexcept {
  text = std::string_view();
  version = 11;
  framing = Framing::none;
  content_length = 0;
  keep_alive = true;
  upgrade = false;
  connection_names = false;
  fields.clear();
  present_ = 0;
  repeated_ = 0;
}

Result<std::size_t> parse_request(std::string_view bytes, RequestHead& head) {
  const std::size_t skipped = empty_lines(bytes);
  bytes.remove_prefix(skipped);
  if (bytes.empty() || bytes == "\r") return std::size_t{0};
  head.clear();
  HeadCursor cursor(bytes);
  Step step = cursor.token(' ', head.method);
  if (step == Step::ok) step = cursor.target(head.target);
  if (step == Step::ok) step = cursor.version(head.version);
  if (step == Step::ok) step = cursor.end_of_line();
  if (step == Step::ok) step = parse_fields(cursor, head);
  if (step != Step::ok) return stopped(step, bytes);

  head.text = bytes.substr(0, cursor.taken());
  head.is_head = head.method == "HEAD";
  const Result<> framed = read_framing(head, Framing::none);
  if (!framed) return framed.error();
  const bool no_host = head.version == 11 && !head.has(FieldKind::host);
  if (no_host || head.repeats(FieldKind::host) || !host_is_clear(head))
    return FlowError::bad_message;
  if (head.framing == Framing::length && head.content_length == 0) head.framing = Framing::none;
  if (!read_connection(head)) return FlowError::bad_message;
  head.expects_continue = head.has(FieldKind::expect) && head.version == 11 &&
                          head.framing != Framing::none &&
                          same_name(head.value(FieldKind::expect), "100-continue");
  return skipped + cursor.taken();
}

Result<std::size_t> parse_response(std::string_view bytes, bool to_head_request,
                                   ResponseHead& head) {
  if (bytes.empty()) return std::size_t{0};
  head.clear();
  head.keep_alive_seconds.reset();
  HeadCursor cursor(bytes);
  Step step = cursor.version(head.version);
  if (step == Step::ok) step = cursor.space();
  head.reason_begin = static_cast<std::uint32_t>(cursor.taken());
  if (step == Step::ok) step = cursor.status(head.status);
  if (step == Step::ok) step = cursor.reason();
  if (step == Step::ok) step = parse_fields(cursor, head);
  if (step != Step::ok) return stopped(step, bytes);

  head.text = bytes.substr(0, cursor.taken());
  const Result<> framed = read_framing(head, Framing::until_close);
  if (!framed) return framed.error();
  if (!read_connection(head)) return FlowError::bad_message;
  read_keep_alive_timeout(head);
  if (to_head_request || head.interim() || head.status == 204 || head.status == 304) {
    head.framing = Framing::none;
  }
  if (head.framing == Framing::until_close) head.keep_alive = false;
  return cursor.taken();
}

}  // namespace pilotlight::http
