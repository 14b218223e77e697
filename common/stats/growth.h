#pragma once

#include <algorithm>
#include <cstdint>

#include "common/stats/concurrency_meter.h"

/// What happened between two snapshots of one meter, second by second. Whoever keeps seconds of
/// load, where it is measured or where it is decided on, cuts it with these, so that all of them
/// have the same numbers.
namespace pilotlight {

inline constexpr std::int64_t kSecondUs = 1'000'000;
inline constexpr std::uint64_t kMillion = 1'000'000;  ///< Arrivals are spread in millionths.

/// The whole second in which an instant lies.
[[nodiscard]] constexpr std::int64_t floor_second(std::int64_t us) noexcept {
  const std::int64_t second = us / kSecondUs;
  return us % kSecondUs < 0 ? second - 1 : second;
}

/// Whether `to` is a later snapshot of the meter that `from` is of; else there is no growth.
[[nodiscard]] bool continues(const LoadSnapshot& from, const LoadSnapshot& to) noexcept;

/// A piece of a stretch of time that lies in one second, and what falls into it of an amount that
/// is spread evenly over the whole stretch. Whole numbers; the parts of all pieces add up.
struct SecondPiece {
  std::int64_t second = 0;
  std::uint64_t begin_us = 0;  ///< From the stretch's beginning.
  std::uint64_t end_us = 0;
  std::uint64_t whole_us = 0;  ///< How long the stretch is; 0 when the piece is all of it.

  [[nodiscard]] std::uint64_t part_of(std::uint64_t amount) const noexcept;
};

/// Calls each(SecondPiece) for every second that [from_us, to_us) touches, in order. Without any
/// length all belongs to the second of `to_us`.
template <class Each>
void for_each_second(std::int64_t from_us, std::int64_t to_us, Each each) {
  SecondPiece piece;
  piece.second = floor_second(to_us);
  if (to_us <= from_us) return each(piece);
  piece.whole_us = static_cast<std::uint64_t>(to_us - from_us);
  for (std::int64_t begin = from_us; begin < to_us;) {
    piece.second = floor_second(begin);
    const std::int64_t end = std::min(to_us, (piece.second + 1) * kSecondUs);
    piece.begin_us = static_cast<std::uint64_t>(begin - from_us);
    piece.end_us = static_cast<std::uint64_t>(end - from_us);
    each(piece);
    begin = end;
  }
}

}  // namespace pilotlight
