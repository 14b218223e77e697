#include "config/scalars.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace pilotlight::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Longer names first: "ms" must not be read as "m" and a stray "s". Both signs for micro are Go's.
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"\xC2\xB5s", 1'000},
                                         {"\xCE\xBCs", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", 1'000'000'000},
                                         {"m", 60'000'000'000},
                                         {"h", 3'600'000'000'000}}};

constexpr double kMostNanoseconds = 100.0 * 24 * 3600 * 1e9;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::size_t digits(std::string_view text) noexcept {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

/// Takes `12.5h` off the front. @return its nanoseconds.
std::optional<double> take_part(std::string_view& text) noexcept {
  const std::size_t whole = digits(text);
  std::size_t end = whole;
  std::size_t fraction = 0;
  if (end < text.size() && text[end] == '.') {
    fraction = digits(text.substr(end + 1));
    end += 1 + fraction;
  }
  if (whole + fraction == 0 || whole > 18) return std::nullopt;
  std::int64_t ticks = 0;
  for (const char c : text.substr(0, whole)) ticks = ticks * 10 + (c - '0');
  double value = static_cast<double>(ticks);
  double scale = 0.1;
  for (std::size_t i = 0; i < fraction; ++i, scale /= 10)
    value += scale * (text[whole + 1 + i] - '0');
  text.remove_prefix(end);
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return value * static_cast<double>(unit.nanoseconds);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) noexcept {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) noexcept {
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto part = take_part(text);
    if (!part) return std::nullopt;
    total += *part;
    if (total > kMostNanoseconds) return std::nullopt;
  }
  // Rounded, since 1.1 s is not a binary number.
  const auto ticks = static_cast<std::int64_t>(std::llround(total));
  return std::chrono::nanoseconds(negative ? -ticks : ticks);
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto value = parse_integer(text);
  if (!value || *value < 1 || *value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

}  // namespace pilotlight::config
