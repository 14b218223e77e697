#include "common/metrics/histogram.h"

namespace pilotlight {

HistogramSample HistogramCells::sample(double unit, Labels labels) const {
  HistogramSample out;
  out.labels = std::move(labels);
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    out.bounds.push_back(static_cast<double>(bounds_[i]) / unit);
  }
  for (std::size_t i = 0; i <= bounds_.size(); ++i) out.counts.push_back(counts_[i].read());
  out.sum = static_cast<double>(sum_.read()) / unit;
  return out;
}

}  // namespace pilotlight
