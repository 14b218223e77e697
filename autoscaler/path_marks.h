#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "common/kube/back_off.h"
#include "common/wire/frames.h"

namespace pilotlight::autoscaler {

/// Which private Services have to be marked anew, so that the controller lets requests go past the
/// activators ("serve") or through them ("proxy"): decides, does nothing.
///
/// A Service without a mark is on the proxy path. Only what differs from what the API shows is
/// written, one Service at a time; one that failed is due again after 100 ms, doubling to 10 s. A
/// revision without a private Service of ours has nothing to be marked. Pure; O(log n) a call.
class PathMarks {
 public:
  /// What is to be written now. Hand it back to ended().
  struct Attempt {
    wire::RevisionKey revision;
    std::string service;
    bool direct = false;
  };

  /// What a decision has come to.
  void want(const wire::RevisionKey& revision, bool direct);
  /// The revision is gone, or no longer ours to decide about.
  void forget(const wire::RevisionKey& revision);

  /// The private Service of the revision, as the API shows it.
  void seen(const wire::RevisionKey& revision, const std::string& service, bool direct);
  void gone(const wire::RevisionKey& revision);

  [[nodiscard]] std::optional<Attempt> next(TimePoint now);
  /// When next() may have something without anything else happening; max() if never.
  [[nodiscard]] TimePoint next_due() const noexcept;
  void ended(const Attempt& attempt, bool taken, TimePoint now, std::mt19937_64& random);

  /// Whether its Service leads past the activators, as the API shows it.
  [[nodiscard]] bool shown(const wire::RevisionKey& revision) const;

  /// Services whose mark is not what it should be.
  [[nodiscard]] std::size_t waiting() const noexcept { return due_.size(); }

 private:
  struct Mark {
    std::optional<bool> wanted;
    std::optional<std::string> service;
    bool shown = false;  // as the API has it
    TimePoint due{};
    kube::BackOff back_off{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  };
  using Marks = std::map<wire::RevisionKey, Mark>;

  void line_up(const wire::RevisionKey& revision, Mark& mark);
  void tidy(Marks::iterator mark);

  Marks marks_;
  std::set<std::pair<TimePoint, wire::RevisionKey>> due_;
};

}  // namespace pilotlight::autoscaler
