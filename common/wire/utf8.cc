#include "common/wire/utf8.h"

#include <cstddef>
#include <cstdint>

namespace pilotlight::wire {
namespace {

/// Length of the sequence that starts with `first`; 0 if none can.
std::size_t sequence_length(std::uint8_t first) noexcept {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/// The second byte is where overlong forms, surrogates and too large code points show.
bool second_fits(std::uint8_t first, std::uint8_t second) noexcept {
  switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return second >= 0x80 && second <= 0xbf;
  }
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t length = sequence_length(byte(i));
    if (length == 0 || length > text.size() - i) return false;
    if (length > 1 && !second_fits(byte(i), byte(i + 1))) return false;
    for (std::size_t k = 2; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<std::uint8_t>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

std::string_view utf8_suffix(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  std::size_t begin = text.size() - most;
  while (begin < text.size() && (static_cast<std::uint8_t>(text[begin]) & 0xc0) == 0x80) ++begin;
  return text.substr(begin);
}

std::string one_line(std::string_view text, std::size_t most) {
  std::string line(utf8_prefix(text, most));
  for (char& c : line) {
    if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

}  // namespace pilotlight::wire
