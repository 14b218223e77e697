#pragma once

#include <map>
#include <random>
#include <set>

#include "common/kube/back_off.h"
#include "controller/key_index.h"

namespace pilotlight::controller {

/// When what has failed is to be tried again. Pure.
///
/// Each object has a back-off of its own (100 ms doubling to 5 s): one that always fails holds up
/// no other, and is not tried each time that another one changes.
class RetryTimes {
 public:
  void failed(const Key& key, TimePoint now, std::mt19937_64& random);
  /// It went well: the next failure starts from the beginning.
  void done(const Key& key) { retries_.erase(key); }

  /// When the next one is due; TimePoint::max() when none is.
  [[nodiscard]] TimePoint next() const;
  /// Those whose time has come, each told once.
  [[nodiscard]] std::set<Key> take_due(TimePoint now);

 private:
  struct Retry {
    kube::BackOff back_off{std::chrono::milliseconds(100), std::chrono::seconds(5)};
    TimePoint at = TimePoint::max();  // max(): told
  };
  std::map<Key, Retry> retries_;
};

}  // namespace pilotlight::controller
