#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pilotlight {

/// The Prometheus text format 0.0.4, written from plain structs: what `GET /metrics` answers.
/// Filled at scrape time from cells and gauges; costs nothing in between.
inline constexpr std::string_view kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  Labels labels;
  double value = 0;
};

/// Counts per bucket, not cumulative: `counts[i]` observations fell into (bounds[i-1], bounds[i]];
/// the last count, one more than there are bounds, is everything above.
struct HistogramSample {
  Labels labels;
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  double sum = 0;
};

/// Collects families in the order of the calls.
class Exposition {
 public:
  /// Names follow Prometheus' rules: counters end in _total, units last. A family without samples
  /// is left out. Label values and help texts may be any UTF-8: they are escaped.
  void counter(std::string_view name, std::string_view help, const std::vector<Sample>& samples);
  void gauge(std::string_view name, std::string_view help, const std::vector<Sample>& samples);
  void histogram(std::string_view name, std::string_view help,
                 const std::vector<HistogramSample>& samples);

  /// One sample without labels.
  void counter(std::string_view name, std::string_view help, std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, double value);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  void head(std::string_view name, std::string_view help, std::string_view type);
  void line(std::string_view name, std::string_view suffix, const Labels& labels,
            std::string_view last_label, std::string_view last_value, double value);

  std::string text_;
};

}  // namespace pilotlight
