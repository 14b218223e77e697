#include "common/stats/time_window.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pilotlight {
namespace {

/// Where a second lives in a ring of n, also for seconds before the clock's zero.
std::size_t slot(std::int64_t second, std::int64_t n) noexcept {
  const std::int64_t rest = second % n;
  return static_cast<std::size_t>(rest < 0 ? rest + n : rest);
}

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

}  // namespace

TimeWindow::TimeWindow(std::int64_t length, Averaging averaging)
    : buckets_(static_cast<std::size_t>(std::max<std::int64_t>(length, 1))),
      averaging_(averaging) {}

double& TimeWindow::bucket(Second second) noexcept { return buckets_[slot(second, length())]; }
double TimeWindow::bucket(Second second) const noexcept { return buckets_[slot(second, length())]; }

void TimeWindow::record(Second second, double value) {
  const std::int64_t n = length();
  if (!last_ || second - *last_ >= n) {  // nothing of before is left in the window
    std::fill(buckets_.begin(), buckets_.end(), 0.0);
    first_ = second;
    last_ = second;
  } else if (second > *last_) {
    for (Second passed = *last_ + 1; passed <= second; ++passed) bucket(passed) = 0;
    last_ = second;
  } else if (second <= *last_ - n) {
    return;
  } else {
    first_ = std::min(*first_, second);
  }
  bucket(second) += value;
}

double TimeWindow::average(Second now) const {
  if (!last_ || now - *last_ >= length()) return 0;
  return averaging_ == Averaging::linear ? linear(now) : weighted(now);
}

double TimeWindow::linear(Second now) const {
  const std::int64_t gap = std::max<std::int64_t>(now - *last_, 0);
  double sum = 0;
  for (Second second = *last_; second > *last_ + gap - length(); --second) sum += bucket(second);
  const std::int64_t seconds = std::min(*last_ - *first_ + 1, length() - gap);
  return rounded(sum / static_cast<double>(seconds));
}

double TimeWindow::weighted(Second now) const {
  // The oldest second keeps a ten-thousandth of the newest one's weight; never smoother than 0.2.
  const double n = static_cast<double>(length());
  const double share = std::max(0.2, 1 - std::pow(0.0001, 1 / n));
  const std::int64_t gap = std::max<std::int64_t>(now - *last_, 0);
  double weight = share * std::pow(1 - share, static_cast<double>(gap));
  double sum = 0;
  const std::int64_t seconds = std::min(*last_ - *first_ + 1, length() - gap);
  for (std::int64_t age = 0; age < seconds; ++age) {
    sum += bucket(*last_ - age) * weight;
    weight *= 1 - share;
  }
  return sum;
}

void TimeWindow::reshape(std::int64_t length, Averaging averaging) {
  averaging_ = averaging;
  if (length == this->length()) return;
  TimeWindow reshaped(length, averaging);
  if (last_) {
    const Second oldest = std::max({*first_, *last_ - length + 1, *last_ - this->length() + 1});
    for (Second second = oldest; second <= *last_; ++second) {
      reshaped.record(second, bucket(second));
    }
  }
  *this = std::move(reshaped);
}

std::int64_t panic_window_seconds(std::int64_t stable_seconds, double percentage) {
  const double exact = static_cast<double>(stable_seconds) * percentage / 100;
  return std::max<std::int64_t>(1, std::llround(exact));
}

}  // namespace pilotlight
