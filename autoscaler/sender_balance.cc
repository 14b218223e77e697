#include "autoscaler/sender_balance.h"

#include <algorithm>

namespace pilotlight::autoscaler {
namespace {

constexpr double kKept = 0.8;                // from one second to the next: five of them, about
constexpr double kTolerance = 1.1;           // reports are spread over their period
constexpr double kRounding = 0.1e6;          // a tenth of a request-second
constexpr TimeWindow::Second kMemory = 616;  // a history reaches back 600 s

}  // namespace

SenderBalance::Flow& SenderBalance::Flow::operator+=(const Flow& other) noexcept {
  sent_time_u += other.sent_time_u;
  proxied_time_u += other.proxied_time_u;
  gap_u += other.gap_u;
  return *this;
}

SenderBalance::Missing SenderBalance::close(TimeWindow::Second second, const Flow& flow) {
  made_up_.erase(made_up_.begin(), made_up_.lower_bound(second - kMemory));
  if (second != closed_ + 1) {  // what was before is not next to it
    sent_ = proxied_ = 0;
    suspected_ = missing_ = false;
  }
  closed_ = second;
  sent_ = sent_ * kKept + flow.sent_time_u;
  proxied_ = proxied_ * kKept + flow.proxied_time_u;
  const bool suspected = proxied_ > sent_ * kTolerance + kRounding;
  Missing missing;
  missing_ = suspected && suspected_;
  if (missing_) {
    missing.now_u = make_up(second, flow.gap_u);
    missing.before_u = make_up(second - 1, gap_before_u_);
    gap_before_u_ = 0;
  } else if (suspected) {
    gap_before_u_ = flow.gap_u;
  }
  suspected_ = suspected;
  return missing;
}

double SenderBalance::make_up(TimeWindow::Second second, double gap_u) {
  if (gap_u <= 0) return 0;
  made_up_[second] += gap_u;
  return gap_u;
}

double SenderBalance::late(TimeWindow::Second second, const Flow& flow, double sent_u) {
  sent_ += flow.sent_time_u;
  proxied_ += flow.proxied_time_u;
  const auto place = made_up_.find(second);
  if (place == made_up_.end()) return 0;
  const double already = std::min(place->second, sent_u);
  place->second -= already;
  return already;
}

}  // namespace pilotlight::autoscaler
