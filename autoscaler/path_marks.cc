#include "autoscaler/path_marks.h"

namespace pilotlight::autoscaler {

/// In the line exactly if there is something to write.
void PathMarks::line_up(const wire::RevisionKey& revision, Mark& mark) {
  if (mark.wanted && mark.service && *mark.wanted != mark.shown) {
    due_.emplace(mark.due, revision);
  } else {
    due_.erase({mark.due, revision});
  }
}

/// Keeps nothing about what nobody speaks of.
void PathMarks::tidy(Marks::iterator mark) {
  line_up(mark->first, mark->second);
  if (!mark->second.wanted && !mark->second.service) marks_.erase(mark);
}

void PathMarks::want(const wire::RevisionKey& revision, bool direct) {
  Mark& mark = marks_[revision];
  mark.wanted = direct;
  line_up(revision, mark);
}

void PathMarks::forget(const wire::RevisionKey& revision) {
  const auto mark = marks_.find(revision);
  if (mark == marks_.end()) return;
  mark->second.wanted.reset();
  tidy(mark);
}

void PathMarks::seen(const wire::RevisionKey& revision, const std::string& service, bool direct) {
  Mark& mark = marks_[revision];
  mark.service = service;
  mark.shown = direct;
  line_up(revision, mark);
}

void PathMarks::gone(const wire::RevisionKey& revision) {
  const auto mark = marks_.find(revision);
  if (mark == marks_.end()) return;
  mark->second.service.reset();
  mark->second.shown = false;
  tidy(mark);
}

bool PathMarks::shown(const wire::RevisionKey& revision) const {
  const auto mark = marks_.find(revision);
  return mark != marks_.end() && mark->second.shown;
}

std::optional<PathMarks::Attempt> PathMarks::next(TimePoint now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  Attempt attempt;
  attempt.revision = due_.begin()->second;
  const Mark& mark = marks_.at(attempt.revision);
  attempt.service = *mark.service;
  attempt.direct = *mark.wanted;
  return attempt;
}

TimePoint PathMarks::next_due() const noexcept {
  return due_.empty() ? TimePoint::max() : due_.begin()->first;
}

void PathMarks::ended(const Attempt& attempt, bool taken, TimePoint now, std::mt19937_64& random) {
  const auto found = marks_.find(attempt.revision);
  if (found == marks_.end()) return;
  Mark& mark = found->second;
  due_.erase({mark.due, attempt.revision});
  if (taken) {
    mark.shown = attempt.direct;
    mark.back_off.reset();
    mark.due = TimePoint();
  } else {
    mark.due = now + mark.back_off.next(random);
  }
  line_up(attempt.revision, mark);
}

}  // namespace pilotlight::autoscaler
