#include "autoscaler/revision_metrics.h"

#include <string>
#include <vector>

namespace pilotlight::autoscaler {
namespace {

constexpr double kMicroseconds = 1e6;  // in a second

Labels labels_of(const wire::RevisionKey& key) {
  return {{"namespace", key.name_space}, {"revision", key.revision}};
}

Labels labelled(const wire::RevisionKey& key, std::string_view name, std::string_view value) {
  Labels labels = labels_of(key);
  labels.emplace_back(name, value);
  return labels;
}

void write_cold_starts(Exposition& out, const Loop& loop) {
  std::vector<HistogramSample> phases;
  std::vector<HistogramSample> to_ready;
  std::vector<HistogramSample> to_answer;
  std::vector<Sample> learned;
  for (const auto& [key, subject] : loop.subjects()) {
    const ColdStarts* starts = loop.chronicle().cold_starts(key);
    if (starts == nullptr || starts->percentile_us(50) == 0) continue;
    for (std::size_t i = 0; i < kPhases; ++i) {
      const auto phase = static_cast<Phase>(i);
      if (!starts->seen(phase)) continue;  // absent, not zero
      const Labels labels = labelled(key, "phase", to_string(phase));
      phases.push_back(starts->times(phase).sample(kMicroseconds, labels));
    }
    to_ready.push_back(starts->times_to_ready().sample(kMicroseconds, labels_of(key)));
    to_answer.push_back(starts->times_to_answer().sample(kMicroseconds, labels_of(key)));
    for (const auto& [percent, quantile] : {std::pair(50, "0.5"), std::pair(95, "0.95")}) {
      Sample& sample = learned.emplace_back();
      sample.labels = labelled(key, "quantile", quantile);
      sample.value = static_cast<double>(starts->percentile_us(static_cast<std::size_t>(percent))) /
                     kMicroseconds;
    }
  }
  out.histogram("pilotlight_cold_start_phase_seconds", "What wakes were spent on.", phases);
  out.histogram("pilotlight_wake_to_ready_seconds",
                "From the first parked request, or the decision, to the first ready replica.",
                to_ready);
  out.histogram("pilotlight_wake_to_answer_seconds",
                "From the first parked request to the first byte of the first answer.", to_answer);
  out.gauge("pilotlight_learned_ready_seconds",
            "Wake to ready over the last 32 wakes: what Retry-After is taken from.", learned);
}

/// One gauge under a name of Knative's.
class KnativeGauge {
 public:
  KnativeGauge(Exposition& out, std::string name, std::string_view help)
      : out_(out), name_(std::move(name)), help_(help) {}
  ~KnativeGauge() { out_.gauge(name_, help_, samples_); }
  KnativeGauge(const KnativeGauge&) = delete;
  KnativeGauge& operator=(const KnativeGauge&) = delete;

  template <class Number>
  void add(const Subject& subject, Number value) {
    Sample& sample = samples_.emplace_back();
    sample.labels = {{"k8s_namespace_name", subject.view.key.name_space},
                     {"kn_service_name", subject.view.service},
                     {"kn_revision_name", subject.view.key.revision}};
    sample.value = static_cast<double>(value);
  }

 private:
  Exposition& out_;
  std::string name_;
  std::string_view help_;
  std::vector<Sample> samples_;
};

void write_pods(Exposition& out, const Loop& loop) {
  KnativeGauge desired(out, "kn_revision_pods_desired", "Replicas that the last decision wants.");
  KnativeGauge requested(out, "kn_revision_pods_requested", "Replicas the Deployment asks for.");
  KnativeGauge count(out, "kn_revision_pods_count", "Replicas that are ready.");
  KnativeGauge not_ready(out, "kn_revision_pods_not_ready_count", "Pods that are not ready.");
  KnativeGauge pending(out, "kn_revision_pods_pending_count", "Those whose app does not run yet.");
  KnativeGauge terminating(out, "kn_revision_pods_terminating_count", "Pods that end.");
  KnativeGauge excess(out, "kn_revision_capacity_excess", "Excess burst capacity, in requests.");
  KnativeGauge panic(out, "kn_revision_panic_mode", "1 while in panic mode.");
  for (const auto& [key, subject] : loop.subjects()) {
    const Chronicle::PodCounts pods = loop.chronicle().pods(key);
    desired.add(*subject, subject->desired);
    requested.add(*subject, subject->view.replicas);
    count.add(*subject, loop.registry().ready_count(key));
    not_ready.add(*subject, pods.not_ready);
    pending.add(*subject, pods.pending);
    terminating.add(*subject, pods.terminating);
    excess.add(*subject, subject->last.excess_burst_capacity);
    panic.add(*subject, subject->last.panicking ? 1 : 0);
  }
}

/// Only of the revisions that scale on `metric`.
void write_demand(Exposition& out, const Loop& loop, std::string_view metric) {
  const std::string prefix = "kn_revision_" + std::string(metric);
  KnativeGauge stable(out, prefix + "_stable", "Average per the stable window.");
  KnativeGauge panic(out, prefix + "_panic", "Average per the panic window.");
  KnativeGauge target(out, prefix + "_target", "Wanted per replica.");
  for (const auto& [key, subject] : loop.subjects()) {
    if (metric_name(subject->view.policy) != metric) continue;
    stable.add(*subject, subject->collector.stable());
    panic.add(*subject, subject->collector.panic());
    target.add(*subject, subject->view.policy.target_per_replica());
  }
}

}  // namespace

void write_revision_metrics(Exposition& out, const Loop& loop) {
  write_cold_starts(out, loop);
  write_pods(out, loop);
  write_demand(out, loop, "concurrency");
  write_demand(out, loop, "rps");
}

}  // namespace pilotlight::autoscaler
