#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pilotlight::config {

/// Decimal digits with an optional sign, nothing around them.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

/// A finite decimal number, `1`, `0.5`, `1e2`; nothing around it.
[[nodiscard]] std::optional<double> parse_number(std::string_view text) noexcept;

/// As Go's strconv.ParseBool: 1, t, T, true, TRUE, True and their opposites.
[[nodiscard]] std::optional<bool> parse_boolean(std::string_view text) noexcept;

/// As Go's time.ParseDuration: `90s`, `1m30s`, `1.5h`, `250ms`, `0`; at most 100 days either way.
/// Rounded to a nanosecond.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_duration(
    std::string_view text) noexcept;

/// A port number, 1 to 65535.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text) noexcept;

}  // namespace pilotlight::config
