#include "common/http/head_grammar.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace pilotlight::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

using CharSet = std::array<bool, 256>;

constexpr CharSet make_token_set() {
  CharSet set{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    set[static_cast<unsigned char>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<std::size_t>(c)] = true;
  return set;
}

constexpr CharSet kToken = make_token_set();

bool is_token_char(char c) noexcept { return kToken[static_cast<unsigned char>(c)]; }

bool is_visible(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f;
}

bool is_text(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

#ifdef __SSE2__
/// Sixteen bytes at once. Every x86-64 has SSE2; other machines take the byte-wise way alone.
using Bytes = __m128i;

Bytes load(const char* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
Bytes all(char c) noexcept { return _mm_set1_epi8(c); }

/// 0xff where `low` <= byte <= `high`, all unsigned.
Bytes between(Bytes bytes, char low, char high) noexcept {
  return _mm_cmpeq_epi8(_mm_max_epu8(_mm_min_epu8(bytes, all(high)), all(low)), bytes);
}

/// How many bytes from the front are marked.
std::size_t marked(Bytes marks) noexcept {
  return static_cast<std::size_t>(std::countr_one(static_cast<unsigned>(_mm_movemask_epi8(marks))));
}
#endif

/// The first byte that does not belong into a field value; `end` when there is none.
const char* text_end(const char* at, const char* end) noexcept {
#ifdef __SSE2__
  while (end - at >= 16) {
    const Bytes bytes = load(at);
    const Bytes wrong = _mm_or_si128(between(bytes, 0, 0x1f), _mm_cmpeq_epi8(bytes, all(0x7f)));
    const Bytes right =
        _mm_or_si128(_mm_cmpeq_epi8(wrong, _mm_setzero_si128()), _mm_cmpeq_epi8(bytes, all('\t')));
    const std::size_t n = marked(right);
    at += n;
    if (n < 16) return at;
  }
#endif
  while (at < end && is_text(*at)) ++at;
  return at;
}

/// The first byte that is no token character; `end` when there is none.
const char* token_end(const char* at, const char* end) noexcept {
#ifdef __SSE2__
  // Most names are letters and hyphens; the table says what else is allowed.
  while (end - at >= 16) {
    const Bytes bytes = load(at);
    const Bytes letters = between(_mm_or_si128(bytes, all(0x20)), 'a', 'z');
    const std::size_t n = marked(_mm_or_si128(letters, _mm_cmpeq_epi8(bytes, all('-'))));
    at += n;
    if (n == 16) continue;
    if (!is_token_char(*at)) return at;
    ++at;
  }
#endif
  while (at < end && is_token_char(*at)) ++at;
  return at;
}

struct Name {
  std::string_view text;
  FieldKind kind;
};

constexpr std::size_t kLongestName = 25;

// Sorted by length, so that a name is compared with the few that are as long.
constexpr std::array kNames = {
    Name{"te", FieldKind::te},
    Name{"host", FieldKind::host},
    Name{"expect", FieldKind::expect},
    Name{"trailer", FieldKind::trailer},
    Name{"upgrade", FieldKind::upgrade},
    Name{"forwarded", FieldKind::forwarded},
    Name{"connection", FieldKind::connection},
    Name{"keep-alive", FieldKind::keep_alive},
    Name{"user-agent", FieldKind::user_agent},
    Name{"content-length", FieldKind::content_length},
    Name{"k-network-hash", FieldKind::k_network_hash},
    Name{"pilotlight-hop", FieldKind::pilotlight_hop},
    Name{"k-kubelet-probe", FieldKind::k_kubelet_probe},
    Name{"k-network-probe", FieldKind::k_network_probe},
    Name{"k-original-host", FieldKind::k_original_host},
    Name{"k-proxy-request", FieldKind::k_proxy_request},
    Name{"x-forwarded-for", FieldKind::x_forwarded_for},
    Name{"proxy-connection", FieldKind::proxy_connection},
    Name{"x-forwarded-host", FieldKind::x_forwarded_host},
    Name{"transfer-encoding", FieldKind::transfer_encoding},
    Name{"x-forwarded-proto", FieldKind::x_forwarded_proto},
    Name{"proxy-authenticate", FieldKind::proxy_authenticate},
    Name{"proxy-authorization", FieldKind::proxy_authorization},
    Name{"pilotlight-not-started", FieldKind::pilotlight_not_started},
    Name{"knative-serving-revision", FieldKind::serving_revision},
    Name{"knative-serving-namespace", FieldKind::serving_namespace},
};

/// Whether the token `name` is `known` (of the same length, lower case), ignoring case. Of all
/// token characters only letters change by bit 0x20 into a letter or a hyphen.
bool folds_to(std::string_view name, std::string_view known) noexcept {
  constexpr std::uint64_t kFold = 0x2020202020202020;
  std::uint64_t differ = 0;
  std::size_t i = 0;
  for (; i + 8 <= name.size(); i += 8) {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, name.data() + i, sizeof a);
    std::memcpy(&b, known.data() + i, sizeof b);
    differ |= (a | kFold) ^ b;
    if (differ != 0) return false;
  }
  for (; i < name.size(); ++i) {
    if ((name[i] | 0x20) != known[i]) return false;
  }
  return true;
}

/// Where in kNames the names of each length begin.
constexpr auto kFirstOfLength = [] {
  std::array<std::uint8_t, kLongestName + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    std::size_t i = 0;
    while (i < kNames.size() && kNames[i].text.size() < length) ++i;
    first[length] = static_cast<std::uint8_t>(i);
  }
  return first;
}();

static_assert(std::is_sorted(kNames.begin(), kNames.end(), [](const Name& a, const Name& b) {
  return a.text.size() < b.text.size();
}));
static_assert(kNames.back().text.size() == kLongestName);

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool is_token(std::string_view text) noexcept {
  return token_end(text.data(), text.data() + text.size()) == text.data() + text.size();
}

FieldKind field_kind(std::string_view name) noexcept {
  if (name.size() <= kLongestName) {
    const std::size_t end = kFirstOfLength[name.size() + 1];
    for (std::size_t i = kFirstOfLength[name.size()]; i < end; ++i) {
      if (folds_to(name, kNames[i].text)) return kNames[i].kind;
    }
  }
  constexpr std::string_view kOurs = "pilotlight-";
  if (name.size() > kOurs.size() && lower(name.front()) == 'p' &&
      same_name(name.substr(0, kOurs.size()), kOurs)) {
    return FieldKind::pilotlight_other;
  }
  return FieldKind::other;
}

HeadCursor::Step HeadCursor::token(char stop, std::string_view& found) noexcept {
  const char* const from = at_;
  at_ = token_end(at_, end_);
  if (at_ == end_) return Step::more;
  if (*at_ != stop || at_ == from) return Step::bad;
  found = std::string_view(from, static_cast<std::size_t>(at_ - from));
  ++at_;
  return Step::ok;
}

HeadCursor::Step HeadCursor::target(std::string_view& found) noexcept {
  const char* const from = at_;
  while (at_ < end_ && is_visible(*at_)) ++at_;
  if (at_ == end_) return Step::more;
  if (*at_ != ' ' || at_ == from) return Step::bad;
  found = std::string_view(from, static_cast<std::size_t>(at_ - from));
  ++at_;
  return Step::ok;
}

HeadCursor::Step HeadCursor::word(std::string_view expected) noexcept {
  const std::size_t there = std::min(expected.size(), static_cast<std::size_t>(end_ - at_));
  if (std::memcmp(at_, expected.data(), there) != 0) return Step::bad;
  if (there < expected.size()) return Step::more;
  at_ += there;
  return Step::ok;
}

HeadCursor::Step HeadCursor::version(unsigned& found) noexcept {
  constexpr std::string_view kPrefix = "HTTP/1.";
  if (static_cast<std::size_t>(end_ - at_) > kPrefix.size()) {  // as a rule: no call for 7 bytes
    std::uint64_t there = 0;
    std::uint64_t wanted = 0;
    std::memcpy(&there, at_, kPrefix.size());
    std::memcpy(&wanted, kPrefix.data(), kPrefix.size());
    if (there != wanted) return Step::bad;
    at_ += kPrefix.size();
  } else {
    const Step prefix = word(kPrefix);
    return prefix == Step::ok ? Step::more : prefix;
  }
  if (*at_ != '0' && *at_ != '1') return Step::bad;
  found = *at_ == '1' ? 11 : 10;
  ++at_;
  return Step::ok;
}

HeadCursor::Step HeadCursor::status(unsigned& found) noexcept {
  found = 0;
  for (int digit = 0; digit < 3; ++digit, ++at_) {
    if (at_ == end_) return Step::more;
    if (*at_ < '0' || *at_ > '9') return Step::bad;
    found = found * 10 + static_cast<unsigned>(*at_ - '0');
  }
  return found >= 100 ? Step::ok : Step::bad;
}

HeadCursor::Step HeadCursor::space() noexcept { return word(" "); }

HeadCursor::Step HeadCursor::end_of_line() noexcept {
  if (at_ == end_) return Step::more;
  if (*at_ != '\r') return Step::bad;
  if (at_ + 1 == end_) return Step::more;
  if (at_[1] != '\n') return Step::bad;
  at_ += 2;
  return Step::ok;
}

HeadCursor::Step HeadCursor::reason() noexcept {
  if (at_ == end_) return Step::more;
  if (*at_ != ' ' && *at_ != '\r') return Step::bad;
  std::string_view phrase;
  return rest_of_line(phrase);
}

HeadCursor::Step HeadCursor::rest_of_line(std::string_view& found) noexcept {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  const char* const from = at_;
  at_ = text_end(at_, end_);
  const char* to = at_;
  const Step ended = end_of_line();
  if (ended != Step::ok) return ended;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t')) --to;
  found = std::string_view(from, static_cast<std::size_t>(to - from));
  return Step::ok;
}

HeadCursor::Step HeadCursor::empty_line(bool& empty) noexcept {
  empty = false;
  if (at_ == end_) return Step::more;
  if (*at_ != '\r') return Step::ok;
  const Step step = end_of_line();
  empty = step == Step::ok;
  return step;
}

}  // namespace pilotlight::http
