#pragma once

#include <map>

#include "common/stats/time_window.h"

namespace pilotlight::autoscaler {

/// Finds out that activators send requests which none of them reports, because one of them cannot
/// be heard; and says how much demand that is.
///
/// A request that an activator has sent is in the activator for at least as long as it is in the
/// sidecar. What sidecars have of activators' requests and no activator has, more than a tenth of
/// it over the last seconds and two seconds in a row (a report may be spread over the border of a
/// second, clocks differ a little), is therefore missing: it is made up for in both seconds and in
/// those that follow. What arrives late of a second that was made up for is not counted again.
/// Pure; O(1) a second; remembers those of the last 616 that were made up for.
class SenderBalance {
 public:
  /// What was reported of one second, in millionths.
  struct Flow {
    double sent_time_u = 0;     ///< Request-seconds in activators.
    double proxied_time_u = 0;  ///< Request-seconds in sidecars, of what activators sent.
    double gap_u = 0;           ///< What sidecars had from activators, less what those have sent,
                                ///< as demand is counted.
    Flow& operator+=(const Flow& other) noexcept;
  };
  /// What is to be added to demand.
  struct Missing {
    double now_u = 0;     ///< In the second that is closed.
    double before_u = 0;  ///< In the one before it.
  };

  /// Seconds in their order, each once.
  [[nodiscard]] Missing close(TimeWindow::Second second, const Flow& flow);
  /// Something more of a closed second, of which activators have sent `sent_u`.
  /// @return how much of that was made up for.
  [[nodiscard]] double late(TimeWindow::Second second, const Flow& flow, double sent_u);

  /// Whether something is missing now.
  [[nodiscard]] bool missing() const noexcept { return missing_; }

 private:
  double make_up(TimeWindow::Second second, double gap_u);

  double sent_ = 0;  // of the last seconds, older ones less
  double proxied_ = 0;
  double gap_before_u_ = 0;  // of the second before, if it was the first that looked so
  TimeWindow::Second closed_ = 0;
  bool suspected_ = false;
  bool missing_ = false;
  std::map<TimeWindow::Second, double> made_up_;
};

}  // namespace pilotlight::autoscaler
