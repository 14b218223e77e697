#include "activator/door_plan.h"

#include <algorithm>

namespace pilotlight::activator {

void DoorPlan::want(const Doors& doors, TimePoint now) {
  for (const auto& [port, route] : doors) {
    const auto [place, added] = doors_.try_emplace(port);
    Door& door = place->second;
    if (added) door.due = now;
    door.route = route;
    door.unwanted_since.reset();
  }
  for (auto& [port, door] : doors_) {
    if (!doors.contains(port) && !door.unwanted_since) door.unwanted_since = now;
  }
}

TimePoint DoorPlan::due_of(const Door& door) const {
  if (door.unwanted_since) {
    const bool lingers = !door.open_as.empty() && door.leaving;
    return lingers ? *door.unwanted_since + kLinger : *door.unwanted_since;
  }
  if (door.open_as.empty()) return door.due;
  return door.open_as == door.route && !door.leaving ? TimePoint::max() : TimePoint::min();
}

std::vector<DoorPlan::Step> DoorPlan::steps(TimePoint now) {
  std::vector<Step> steps;
  for (auto each = doors_.begin(); each != doors_.end();) {
    auto& [port, door] = *each;
    if (due_of(door) > now) {
      ++each;
      continue;
    }
    Step step;
    step.port = port;
    if (door.unwanted_since && !door.open_as.empty() && !door.leaving) {
      step.verb = Step::Verb::leave;
      door.leaving = true;
      steps.push_back(std::move(step));
      ++each;
      continue;
    }
    if (door.unwanted_since) {
      step.verb = Step::Verb::close;
      if (!door.open_as.empty()) steps.push_back(std::move(step));
      each = doors_.erase(each);
      continue;
    }
    step.verb = door.open_as.empty() ? Step::Verb::open : Step::Verb::rename;
    step.route = door.open_as = door.route;
    door.leaving = false;
    steps.push_back(std::move(step));
    ++each;
  }
  return steps;
}

void DoorPlan::failed(std::uint16_t port, TimePoint now, std::mt19937_64& random) {
  const auto found = doors_.find(port);
  if (found == doors_.end()) return;
  found->second.open_as.clear();
  found->second.due = now + found->second.back_off.next(random);
}

TimePoint DoorPlan::next_due() const {
  TimePoint due = TimePoint::max();
  for (const auto& [port, door] : doors_) due = std::min(due, due_of(door));
  return due;
}

std::size_t DoorPlan::open() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      doors_.begin(), doors_.end(), [](const auto& each) { return !each.second.open_as.empty(); }));
}

}  // namespace pilotlight::activator
