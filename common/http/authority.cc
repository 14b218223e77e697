#include "common/http/authority.h"

#include <algorithm>
#include <array>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

/// unreserved, sub-delims, percent, and what IP literals and ports add (RFC 3986, section 3.2).
constexpr auto kHostChars = [] {
  std::array<bool, 256> set{};
  for (const char c : std::string_view("-._~!$&'()*+,;=%:[]"))
    set[static_cast<unsigned char>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<std::size_t>(c)] = true;
  return set;
}();

bool host_char(char c) noexcept { return kHostChars[static_cast<unsigned char>(c)]; }

bool begins_with(std::string_view text, std::string_view lower_prefix) noexcept {
  return same_name(text.substr(0, lower_prefix.size()), lower_prefix);
}

/// The authority of an absolute http(s) URI; empty when it is none.
std::string_view authority_of(std::string_view target) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!begins_with(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    return target.substr(0, target.find_first_of("/?#"));
  }
  return {};
}

}  // namespace

bool host_is_clear(const RequestHead& head) noexcept {
  const std::string_view host = head.value(FieldKind::host);
  if (!std::all_of(host.begin(), host.end(), host_char)) return false;
  if (head.method == "CONNECT") return false;
  if (head.target.substr(0, 1) == "/") return true;
  if (head.target == "*") return head.method == "OPTIONS";
  const std::string_view authority = authority_of(head.target);
  return !authority.empty() && same_name(authority, host);
}

bool upgrade_leaves_http(std::string_view upgrade) noexcept {
  while (!upgrade.empty()) {
    const std::string_view protocol = next_element(upgrade);
    if (begins_with(protocol, "h2c") || begins_with(protocol, "http/")) return false;
  }
  return true;
}

}  // namespace pilotlight::http
