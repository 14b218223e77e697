#include "config/problems.h"

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

constexpr std::size_t kMostQuoted = 80;

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  std::size_t kept = text.size();
  if (kept > kMostQuoted) {
    kept = kMostQuoted;
    while (kept > 0 && (static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80U) --kept;
  }
  for (const char c : text.substr(0, kept)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += kept < text.size() ? "...\"" : "\"";
  return out;
}

std::string got_expected(std::string_view got, std::string_view expected) {
  return fmt::format("got {}, expected {}", got, expected);
}

}  // namespace pilotlight::config
