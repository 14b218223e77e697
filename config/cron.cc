#include "config/cron.h"

#include <array>
#include <cctype>
#include <span>

#include "config/scalars.h"

namespace pilotlight::config {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Field {
  int least;
  int most;
  std::span<const std::string_view> names = {};  // of the values from `least` on
};

constexpr Field kMinute{0, 59};
constexpr Field kHour{0, 23};
constexpr Field kDay{1, 31};
constexpr Field kMonth{1, 12, kMonths};
constexpr Field kWeekday{0, 7, kWeekdays};

bool same_word(std::string_view a, std::string_view lower) noexcept {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(a[i])) != lower[i]) return false;
  }
  return true;
}

/// Takes what stands before the first `mark` off `text`; all of it when there is none.
std::string_view take(std::string_view& text, char mark) noexcept {
  const std::size_t at = text.find(mark);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

std::optional<int> value_of(std::string_view text, const Field& field) noexcept {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (same_word(text, field.names[i])) return field.least + static_cast<int>(i);
  }
  if (text.empty() || text.size() > 2 || !std::isdigit(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  const auto value = parse_integer(text);
  if (!value || *value < field.least || *value > field.most) return std::nullopt;
  return static_cast<int>(*value);
}

/// `*`, `7`, `1-5`, any of them with `/2`. @return its bits, 0 when it is none of these.
std::uint64_t part_of(std::string_view text, const Field& field) noexcept {
  const bool stepped = text.find('/') != std::string_view::npos;
  std::string_view range = take(text, '/');
  const auto step = stepped ? parse_integer(text) : 1;
  if (!step || *step < 1 || *step > field.most) return 0;
  int first = field.least;
  int last = field.most;
  if (range != "*") {
    const bool ranged = range.find('-') != std::string_view::npos;
    const auto low = value_of(take(range, '-'), field);
    const auto high = ranged ? value_of(range, field) : low;
    if (!low || !high || *low > *high) return 0;
    first = *low;
    last = stepped && !ranged ? field.most : *high;  // "5/10" goes on to the end
  }
  std::uint64_t bits = 0;
  for (std::int64_t n = first; n <= last; n += *step) bits |= std::uint64_t{1} << n;
  return bits;
}

std::uint64_t bits_of(std::string_view text, const Field& field) noexcept {
  if (text.empty() || text.back() == ',') return 0;
  std::uint64_t all = 0;
  while (!text.empty()) {
    const std::uint64_t bits = part_of(take(text, ','), field);
    if (bits == 0) return 0;
    all |= bits;
  }
  return all;
}

std::string_view take_word(std::string_view& text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  const std::size_t end = text.find_first_of(" \t");
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

bool Cron::on(std::chrono::local_days day) const noexcept {
  const std::chrono::year_month_day date(day);
  if ((months >> static_cast<unsigned>(date.month()) & 1U) == 0) return false;
  const bool in_month = (days >> static_cast<unsigned>(date.day()) & 1U) != 0;
  const bool in_week = (weekdays >> std::chrono::weekday(day).c_encoding() & 1U) != 0;
  // crontab(5): a `*` in one of the two leaves the choice to the other.
  return any_day || any_weekday ? in_month && in_week : in_month || in_week;
}

std::optional<Cron> parse_cron(std::string_view text) noexcept {
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) word = take_word(text);
  if (!take_word(text).empty()) return std::nullopt;
  Cron cron;
  cron.minutes = bits_of(words[0], kMinute);
  cron.hours = static_cast<std::uint32_t>(bits_of(words[1], kHour));
  cron.days = static_cast<std::uint32_t>(bits_of(words[2], kDay));
  cron.months = static_cast<std::uint32_t>(bits_of(words[3], kMonth));
  const std::uint64_t weekdays = bits_of(words[4], kWeekday);
  cron.weekdays = static_cast<std::uint32_t>((weekdays | weekdays >> 7) & 0x7F);
  cron.any_day = words[2].starts_with('*');
  cron.any_weekday = words[4].starts_with('*');
  if (cron.minutes == 0 || cron.hours == 0 || cron.days == 0 || cron.months == 0 || weekdays == 0) {
    return std::nullopt;
  }
  return cron;
}

}  // namespace pilotlight::config
