#include "autoscaler/cold_start.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace pilotlight::autoscaler {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPods = 64;
constexpr std::size_t kLearned = 32;
constexpr Duration kAnswerPatience = 5s;  // after the first replica is ready, for what is missing

// From 1 ms for a decision to 10 minutes for a large model.
constexpr std::array<std::uint64_t, 13> kBoundsUs = {
    1'000,     5'000,      25'000,     100'000,    250'000,     500'000,    1'000'000,
    2'500'000, 10'000'000, 30'000'000, 60'000'000, 180'000'000, 600'000'000};

std::uint64_t us(Duration length) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(length).count()));
}

constexpr std::size_t index(Phase phase) noexcept { return static_cast<std::size_t>(phase); }

template <std::size_t... I>
std::array<HistogramCells, kPhases> histograms(std::index_sequence<I...> /*each*/) {
  return {((void)I, HistogramCells(kBoundsUs))...};
}

}  // namespace

std::string_view to_string(Phase phase) noexcept {
  switch (phase) {
    case Phase::decide: return "decide";
    case Phase::patch: return "patch";
    case Phase::scheduled: return "scheduled";
    case Phase::image: return "image";
    case Phase::init: return "init";
    case Phase::start: return "start";
    case Phase::listen: return "listen";
    case Phase::ready: return "ready";
    case Phase::first_byte: return "first_byte";
  }
  return "other";
}

Duration told_length(std::uint64_t us) noexcept {
  constexpr std::chrono::microseconds kDay = std::chrono::hours(24);
  return std::chrono::microseconds(std::min(us, static_cast<std::uint64_t>(kDay.count())));
}

ColdStarts::ColdStarts()
    : times_(histograms(std::make_index_sequence<kPhases>())),
      times_to_ready_(kBoundsUs),
      times_to_answer_(kBoundsUs) {}

void ColdStarts::poked(TimePoint parked_at) {
  if (wake_) return;  // several activators, or said again
  parked_at_ = std::min(parked_at, parked_at_.value_or(parked_at));
}

void ColdStarts::woken(TimePoint decided_at) {
  if (wake_ && !wake_->ready_at) return;  // the same wake wants more replicas
  wake_.emplace();
  wake_->awaited = parked_at_.has_value();
  wake_->began = std::min(parked_at_.value_or(decided_at), decided_at);
  if (parked_at_) wake_->marks[index(Phase::decide)] = decided_at;
  parked_at_.reset();
}

void ColdStarts::patched(TimePoint now) {
  if (!wake_) return;
  auto& mark = wake_->marks[index(Phase::patch)];
  if (!mark) mark = now;
}

void ColdStarts::pod(const std::string& replica, Phase over, TimePoint now) {
  if (!wake_ || wake_->ready_at) return;
  if (wake_->pods.size() >= kPods && !wake_->pods.contains(replica)) return;
  // A Pod whose container starts again is timed by its last start: READY is of that one.
  wake_->pods[replica][index(over)] = now;
}

void ColdStarts::ready(const std::string& replica, Duration listening, TimePoint now) {
  if (!wake_ || wake_->ready_at) return;
  wake_->ready_at = now;
  wake_->replica = replica;
  const TimePoint listened = std::max(wake_->began, now - listening);
  const auto seen = wake_->pods.find(replica);
  if (seen != wake_->pods.end()) {
    for (std::size_t i = 0; i < kPhases; ++i) {
      if (seen->second[i] && *seen->second[i] <= listened) wake_->marks[i] = seen->second[i];
    }
  }
  wake_->marks[index(Phase::listen)] = listened;
  wake_->marks[index(Phase::ready)] = now;
  learn(now - wake_->began);
}

void ColdStarts::answered(Duration waited) {
  if (wake_ && !wake_->waited) wake_->waited = waited;
}

void ColdStarts::asleep() {
  wake_.reset();
  parked_at_.reset();
}

std::optional<ColdStart> ColdStarts::take(TimePoint now) {
  if (!wake_ || !wake_->ready_at) return std::nullopt;
  const bool complete = wake_->marks[index(Phase::patch)] && (wake_->waited || !wake_->awaited);
  if (!complete && now - *wake_->ready_at < kAnswerPatience) return std::nullopt;
  const Wake wake = *std::exchange(wake_, std::nullopt);
  ColdStart story = story_of(wake);
  for (std::size_t i = 0; i < kPhases; ++i) {
    if (!story.phases[i]) continue;
    times_[i].observe(us(*story.phases[i]));
    seen_[i] = true;
  }
  times_to_ready_.observe(us(story.to_ready));
  if (story.waited) times_to_answer_.observe(us(*story.waited));
  return story;
}

/// Each phase is as long as it is from the end of the one that ended before it.
ColdStart ColdStarts::story_of(const Wake& wake) {
  ColdStart story;
  story.replica = wake.replica;
  story.to_ready = *wake.ready_at - wake.began;
  story.waited = wake.waited;
  Marks marks = wake.marks;
  // The API's answer may come behind what it has caused.
  auto& patch = marks[index(Phase::patch)];
  for (std::size_t i = index(Phase::scheduled); patch && i < kPhases; ++i) {
    if (marks[i]) patch = std::min(*patch, *marks[i]);
  }
  if (patch) patch = std::max(*patch, marks[index(Phase::decide)].value_or(wake.began));
  if (wake.waited) marks[index(Phase::first_byte)] = wake.began + *wake.waited;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < kPhases; ++i) {
    if (marks[i]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&marks](std::size_t a, std::size_t b) { return *marks[a] < *marks[b]; });
  TimePoint before = wake.began;
  for (const std::size_t i : order) {
    story.phases[i] = std::max(*marks[i] - before, Duration::zero());
    before = std::max(before, *marks[i]);
  }
  return story;
}

void ColdStarts::learn(Duration to_ready) {
  learned_us_.push_back(us(to_ready));
  if (learned_us_.size() > kLearned) learned_us_.pop_front();
}

std::uint64_t ColdStarts::percentile_us(std::size_t percent) const {
  if (learned_us_.empty()) return 0;
  std::vector<std::uint64_t> sorted(learned_us_.begin(), learned_us_.end());
  std::sort(sorted.begin(), sorted.end());
  // The smallest that so many of a hundred are not above.
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

}  // namespace pilotlight::autoscaler
