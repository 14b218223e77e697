#include "config/posix_tz.h"

namespace pilotlight::config {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using Change = TimeZone::Change;

/// Takes the parts of a TZ string off its front.
class TzReader {
 public:
  explicit TzReader(std::string_view text) : rest_(text) {}

  /// `CET`, `<+03>`: three characters at least.
  bool name() {
    std::size_t length = 0;
    if (rest_.starts_with('<')) {
      length = rest_.find('>');
      if (length == std::string_view::npos) return false;
      ++length;
    } else {
      while (length < rest_.size() && is_letter(rest_[length])) ++length;
    }
    rest_.remove_prefix(length);
    return length >= 3;
  }

  bool sign(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<int> number() {
    std::size_t length = 0;
    int value = 0;
    while (length < rest_.size() && length < 3 && rest_[length] >= '0' && rest_[length] <= '9') {
      value = value * 10 + (rest_[length++] - '0');
    }
    rest_.remove_prefix(length);
    return length == 0 ? std::nullopt : std::optional<int>(value);
  }

  /// `[+-]h[:mm[:ss]]`
  std::optional<seconds> time() {
    const bool minus = sign('-');
    if (!minus) sign('+');
    const auto hours = number();
    if (!hours || *hours > 167) return std::nullopt;
    int total = *hours * 3600;
    for (const int unit : {60, 1}) {
      if (!sign(':')) break;
      const auto part = number();
      if (!part || *part > 59) return std::nullopt;
      total += *part * unit;
    }
    return seconds(minus ? -total : total);
  }

  /// `,M3.5.0/2`, `,J60`, `,59`
  std::optional<Change> change() {
    Change out;
    if (!sign(',')) return std::nullopt;
    std::optional<int> month = 1;
    std::optional<int> week = 1;
    if (sign('M')) {
      month = number();
      week = sign('.') ? number() : std::nullopt;
      if (!sign('.')) return std::nullopt;
    } else {
      out.form = sign('J') ? Change::Form::julian : Change::Form::day;
    }
    const auto day = number();
    if (!month || !week || !day || *month < 1 || *month > 12 || *week < 1 || *week > 5) {
      return std::nullopt;
    }
    const int most = out.form == Change::Form::month_week ? 6 : 365;
    if (*day > most) return std::nullopt;
    out.month = *month;
    out.week = *week;
    out.day = *day;
    if (sign('/')) {
      const auto at = time();
      if (!at) return std::nullopt;
      out.at = *at;
    }
    return out;
  }

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

 private:
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  std::string_view rest_;
};

std::chrono::sys_days day_of(const Change& change, std::chrono::year year) {
  using namespace std::chrono;
  if (change.form == Change::Form::month_week) {
    const auto month = year / std::chrono::month(static_cast<unsigned>(change.month));
    const weekday day(static_cast<unsigned>(change.day));
    if (change.week == 5) return sys_days(month / day[last]);
    return sys_days(month / day[static_cast<unsigned>(change.week)]);
  }
  const sys_days first(year / January / 1);
  if (change.form == Change::Form::day) return first + days(change.day);
  // Julian days leave out the 29th of February.
  const bool late = year.is_leap() && change.day >= 60;
  return first + days(change.day - 1 + (late ? 1 : 0));
}

}  // namespace

std::optional<TimeZone::Rule> parse_posix_tz(std::string_view text) {
  TzReader in(text);
  TimeZone::Rule rule;
  if (!in.name()) return std::nullopt;
  const auto west = in.time();
  if (!west) return std::nullopt;
  rule.standard = -*west;  // POSIX counts to the west
  if (in.done()) return rule;
  if (!in.name()) return std::nullopt;
  rule.summer = rule.standard + std::chrono::hours(1);
  TzReader ahead = in;
  if (const auto summer_west = ahead.time()) {
    rule.summer = -*summer_west;
    in = ahead;
  }
  const auto begin = in.change();
  const auto end = in.change();
  if (!begin || !end || !in.done()) return std::nullopt;
  rule.begin = *begin;
  rule.end = *end;
  return rule;
}

seconds offset_of(const TimeZone::Rule& rule, sys_seconds when) {
  if (!rule.summer) return rule.standard;
  const auto local_day = std::chrono::floor<std::chrono::days>(when + rule.standard);
  const std::chrono::year year = std::chrono::year_month_day(local_day).year();
  const sys_seconds begin = day_of(rule.begin, year) + rule.begin.at - rule.standard;
  const sys_seconds end = day_of(rule.end, year) + rule.end.at - *rule.summer;
  // South of the equator summer spans the new year.
  const bool summer = begin < end ? when >= begin && when < end : when >= begin || when < end;
  return summer ? *rule.summer : rule.standard;
}

}  // namespace pilotlight::config
