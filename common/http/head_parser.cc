#include "common/http/head_parser.h"

#include <charconv>

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include "common/http/authority.h"
#include "common/http/read_buffer.h"

namespace pilotlight::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Beast's table knows the standard names; ours are few and begin with k or p or Knative.
FieldKind own_kind(std::string_view name) noexcept {
  if (name.size() < 12) return FieldKind::other;
  const char first = lower(name.front());
  if (first == 'p') {
    if (!same_name(name.substr(0, 11), "pilotlight-")) return FieldKind::other;
    if (same_name(name, "pilotlight-hop")) return FieldKind::pilotlight_hop;
    if (same_name(name, "pilotlight-not-started")) return FieldKind::pilotlight_not_started;
    return FieldKind::pilotlight_other;
  }
  if (first == 'x') {
    if (same_name(name, "x-forwarded-for")) return FieldKind::x_forwarded_for;
    if (same_name(name, "x-forwarded-host")) return FieldKind::x_forwarded_host;
    if (same_name(name, "x-forwarded-proto")) return FieldKind::x_forwarded_proto;
    return FieldKind::other;
  }
  if (first != 'k') return FieldKind::other;
  if (same_name(name, "k-original-host")) return FieldKind::k_original_host;
  if (same_name(name, "k-proxy-request")) return FieldKind::k_proxy_request;
  if (same_name(name, "k-network-probe")) return FieldKind::k_network_probe;
  if (same_name(name, "k-network-hash")) return FieldKind::k_network_hash;
  if (same_name(name, "k-kubelet-probe")) return FieldKind::k_kubelet_probe;
  if (same_name(name, "knative-serving-revision")) return FieldKind::serving_revision;
  if (same_name(name, "knative-serving-namespace")) return FieldKind::serving_namespace;
  return FieldKind::other;
}

FieldKind kind_of(field known, std::string_view name) noexcept {
  switch (known) {
    case field::connection: return FieldKind::connection;
    case field::proxy_connection: return FieldKind::proxy_connection;
    case field::keep_alive: return FieldKind::keep_alive;
    case field::te: return FieldKind::te;
    case field::trailer: return FieldKind::trailer;
    case field::transfer_encoding: return FieldKind::transfer_encoding;
    case field::content_length: return FieldKind::content_length;
    case field::upgrade: return FieldKind::upgrade;
    case field::expect: return FieldKind::expect;
    case field::host: return FieldKind::host;
    case field::proxy_authenticate: return FieldKind::proxy_authenticate;
    case field::proxy_authorization: return FieldKind::proxy_authorization;
    case field::user_agent: return FieldKind::user_agent;
    case field::forwarded: return FieldKind::forwarded;
    case field::unknown: return own_kind(name);
    default: return FieldKind::other;
  }
}

/// Fills a Head from Beast's callbacks. Derived, not wrapped: a container of fields would cost
/// three times the parse.
template <bool isRequest, class HeadType>
class InPlaceParser final : public beast::http::basic_parser<isRequest> {
 public:
  InPlaceParser(std::string_view bytes, HeadType& head) : bytes_(bytes), head_(head) {
    this->header_limit(static_cast<std::uint32_t>(ReadBuffer::kLimit));
    this->body_limit(boost::none);
  }

  [[nodiscard]] int hosts() const noexcept { return hosts_; }

 private:
  using View = beast::string_view;

  static std::string_view std_view(View v) noexcept { return {v.data(), v.size()}; }

  void on_request_impl(beast::http::verb verb, View method, View target, int version,
                       beast::error_code&) override {
    if constexpr (isRequest) {
      head_.method = std_view(method);
      head_.target = std_view(target);
      head_.is_head = verb == beast::http::verb::head;
      head_.version = static_cast<unsigned>(version);
    }
  }

  void on_response_impl(int code, View, int version, beast::error_code&) override {
    if constexpr (!isRequest) {
      head_.status = static_cast<unsigned>(code);
      head_.version = static_cast<unsigned>(version);
      head_.reason_begin = 9;  // "HTTP/1.x " is what Beast accepts before the code
    }
  }

  void on_field_impl(field known, View name, View value, beast::error_code& ec) override {
    const std::size_t end = line_end(name, value);
    if (end == 0) {
      ec = beast::http::error::bad_value;
      return;
    }
    const FieldKind kind = kind_of(known, std_view(name));
    if (kind == FieldKind::other) return;
    Field& added = head_.fields.emplace_back();
    added.kind = kind;
    added.begin = static_cast<std::uint32_t>(name.data() - bytes_.data());
    added.end = static_cast<std::uint32_t>(end);
    added.value = std_view(value);
    if (kind == FieldKind::host) ++hosts_;
  }

  /// Where the field's line ends, behind its CRLF; 0 when it goes on in a second line: obs-fold,
  /// which Beast unfolds (into a buffer of its own, or past an empty first line) and we refuse.
  [[nodiscard]] std::size_t line_end(View name, View value) const noexcept {
    const char* at = name.data() + name.size();
    if (!value.empty()) {
      const char* const last = bytes_.data() + bytes_.size();
      if (value.data() < at || value.data() + value.size() > last) return 0;
      for (; at < value.data(); ++at) {
        if (*at == '\r') return 0;
      }
      at += value.size();
    } else {
      ++at;  // the colon
    }
    while (*at == ' ' || *at == '\t') ++at;
    if (at[0] != '\r' || at[2] == ' ' || at[2] == '\t') return 0;
    return static_cast<std::size_t>(at + 2 - bytes_.data());
  }

  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, beast::error_code&) override {}
  std::size_t on_body_impl(View body, beast::error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, View, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, beast::error_code&) override {
    return body.size();
  }
  void on_finish_impl(beast::error_code&) override {}

  std::string_view bytes_;
  HeadType& head_;
  int hosts_ = 0;
};

/// One Content-Length of digits only: a list of equal lengths is legal, and read differently.
bool length_is_clear(const Head& head) noexcept {
  int lengths = 0;
  for (const Field& f : head.fields) {
    if (f.kind != FieldKind::content_length) continue;
    if (++lengths > 1 || f.value.empty() ||
        f.value.find_first_not_of("0123456789") != std::string_view::npos) {
      return false;
    }
  }
  return true;
}

/// `chunked` alone is the one transfer coding that every hop frames alike.
bool framing_is_clear(const Head& head) noexcept {
  int codings = 0;
  for (const Field& f : head.fields) {
    if (f.kind != FieldKind::transfer_encoding) continue;
    if (++codings > 1 || !same_name(f.value, "chunked")) return false;
  }
  return codings == 0 || (head.version == 11 && !head.has(FieldKind::content_length));
}

void read_connection(Head& head) noexcept {
  bool says_upgrade = false;
  for (const Field& f : head.fields) {
    if (f.kind != FieldKind::connection) continue;
    std::string_view list = f.value;
    while (!list.empty()) {
      const std::string_view token = next_element(list);
      if (same_name(token, "upgrade")) {
        says_upgrade = true;
      } else if (!token.empty() && !same_name(token, "close") && !same_name(token, "keep-alive") &&
                 !same_name(token, "te")) {
        head.connection_names = true;
      }
    }
  }
  head.upgrade = says_upgrade && head.has(FieldKind::upgrade) && head.version == 11 &&
                 upgrade_leaves_http(head.value(FieldKind::upgrade));
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

template <class Parser>
Result<std::size_t> parse(Parser& parser, std::string_view bytes) {
  beast::error_code ec;
  const std::size_t used = parser.put(asio::buffer(bytes.data(), bytes.size()), ec);
  if (ec == beast::http::error::need_more) {
    if (bytes.size() >= ReadBuffer::kLimit) return FlowError::head_too_large;
    return std::size_t{0};
  }
  if (ec == beast::http::error::header_limit) return FlowError::head_too_large;
  if (ec || !parser.is_header_done()) return FlowError::bad_message;
  return used;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

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
  for (const Field& f : fields) {
    if (f.kind == kind) return &f;
  }
  return nullptr;
}

std::string_view Head::value(FieldKind kind) const noexcept {
  const Field* found = find(kind);
  return found == nullptr ? std::string_view() : found->value;
}

Result<std::size_t> parse_request(std::string_view bytes, RequestHead& head) {
  const std::size_t skipped = empty_lines(bytes);
  bytes.remove_prefix(skipped);
  if (bytes.empty() || bytes == "\r") return std::size_t{0};  // half of another empty line
  head = RequestHead();
  InPlaceParser<true, RequestHead> parser(bytes, head);
  const Result<std::size_t> used = parse(parser, bytes);
  if (!used || *used == 0) return used;

  head.text = bytes.substr(0, *used);
  if (!length_is_clear(head) || !framing_is_clear(head)) return FlowError::bad_message;
  if (parser.hosts() > 1 || (head.version == 11 && parser.hosts() == 0) || !host_is_clear(head)) {
    return FlowError::bad_message;
  }
  head.keep_alive = parser.keep_alive();
  if (parser.chunked()) {
    head.framing = Framing::chunked;
  } else if (parser.content_length().value_or(0) > 0) {
    head.framing = Framing::length;
    head.content_length = *parser.content_length();
  }
  read_connection(head);
  head.expects_continue = head.version == 11 && head.framing != Framing::none &&
                          same_name(head.value(FieldKind::expect), "100-continue");
  return skipped + *used;
}

Result<std::size_t> parse_response(std::string_view bytes, bool to_head_request,
                                   ResponseHead& head) {
  if (bytes.empty()) return std::size_t{0};
  head = ResponseHead();
  InPlaceParser<false, ResponseHead> parser(bytes, head);
  const Result<std::size_t> used = parse(parser, bytes);
  if (!used || *used == 0) return used;

  head.text = bytes.substr(0, *used);
  if (!length_is_clear(head) || !framing_is_clear(head)) return FlowError::bad_message;
  if (head.status < 100) return FlowError::bad_message;
  read_connection(head);
  read_keep_alive_timeout(head);
  const bool bodiless =
      to_head_request || head.interim() || head.status == 204 || head.status == 304;
  if (bodiless) {
    head.framing = Framing::none;
  } else if (parser.chunked()) {
    head.framing = Framing::chunked;
  } else if (head.has(FieldKind::content_length)) {
    head.framing = Framing::length;
    head.content_length = parser.content_length().value_or(0);
  } else {
    head.framing = Framing::until_close;
  }
  head.keep_alive =
      head.framing != Framing::until_close &&
      (head.version == 11 ? !has_token(head.value(FieldKind::connection), "close")
                          : has_token(head.value(FieldKind::connection), "keep-alive"));
  return *used;
}

}  // namespace pilotlight::http
