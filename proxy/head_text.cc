#include "proxy/head_text.h"

#include "common/http/head_parser.h"

namespace pilotlight::proxy {

std::string_view field_value(std::string_view head, std::string_view name) noexcept {
  constexpr std::string_view kSpace = " \t";
  std::size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    at += 2;
    const std::size_t end = head.find("\r\n", at);
    const std::string_view line = head.substr(at, end - at);
    at = end;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !http::same_name(line.substr(0, colon), name)) continue;
    const std::string_view value = line.substr(colon + 1);
    const std::size_t first = value.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return value.substr(first, value.find_last_not_of(kSpace) - first + 1);
  }
  return {};
}

}  // namespace pilotlight::proxy
