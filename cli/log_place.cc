#include "cli/log_place.h"

namespace pilotlight::cli {
namespace {

constexpr std::size_t kSecondEnds = std::string_view("2026-11-25T08:00:00").size();

/// What stands before the first space, if it looks like "2026-11-25T08:00:00.123456789Z".
std::string_view timestamp_of(std::string_view line) {
  const std::string_view word = line.substr(0, line.find(' '));
  const bool looks = word.size() > kSecondEnds && word.size() < line.size() && word[4] == '-' &&
                     word[7] == '-' && word[10] == 'T' && word[13] == ':' && word[16] == ':';
  return looks ? word : std::string_view();
}

}  // namespace

std::optional<std::string_view> LogPlace::take(std::string_view line) {
  const std::string_view stamp = timestamp_of(line);
  if (stamp.empty()) return line;
  const std::string_view text = line.substr(stamp.size() + 1);
  if (resumed_ && stamp < last_) return std::nullopt;
  if (resumed_ && stamp == last_ && seen_again_ < lines_) {
    ++seen_again_;
    return std::nullopt;
  }
  if (stamp < last_) return text;  // of the other output, written before and passed on later
  resumed_ = resumed_ && stamp == last_;
  lines_ = stamp == last_ ? lines_ + 1 : 1;
  last_ = stamp;
  return text;
}

std::string LogPlace::resume() {
  resumed_ = !last_.empty();
  seen_again_ = 0;
  if (last_.empty()) return {};
  const std::size_t zone = last_.find_first_of("Z+-", kSecondEnds);
  return last_.substr(0, kSecondEnds) + (zone == std::string::npos ? "Z" : last_.substr(zone));
}

}  // namespace pilotlight::cli
