#include "autoscaler/status.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autoscaler/revision_metrics.h"
#include "autoscaler/traffic_path.h"
#include "common/metrics/exposition.h"

namespace pilotlight::autoscaler {
namespace {

using nlohmann::json;

json decision_of(const LoggedDecision& logged) {
  json signals = json::array();
  for (const Signal& signal : logged.seen.signals) {
    signals.push_back({{"name", signal.name},
                       {"known", signal.known},
                       {"stable", signal.stable},
                       {"panic", signal.panic},
                       {"target", signal.target}});
  }
  json inputs = {{"stable", logged.decision.stable},       {"panic", logged.decision.panic},
                 {"target", logged.leading().target},      {"ready", logged.seen.ready},
                 {"replicas", logged.seen.replicas},       {"present", logged.seen.waiting_now},
                 {"parked", logged.seen.poke.value_or(0)}, {"floor", logged.seen.floor},
                 {"signals", std::move(signals)}};
  return json{{"ms", logged.unix_ms},
              {"reason", to_string(logged.decision.reason)},
              {"inputs", std::move(inputs)},
              {"desired", logged.desired()}};
}

std::int64_t wanted_activators(Loop& loop, const Subject& subject) {
  const config::ScalingPolicy& policy = subject.view.policy;
  const wire::RevisionKey& key = subject.view.key;
  const std::int32_t serving =
      loop.registry().ready_count(key) + loop.registry().unheard_count(key);
  return activators_wanted(serving, policy.total_per_replica(), policy.target_burst_capacity,
                           policy.activator_capacity);
}

/// Null while no wake was seen.
json learned_of(const Loop& loop, const wire::RevisionKey& key) {
  const ColdStarts* starts = loop.chronicle().cold_starts(key);
  if (starts == nullptr || starts->percentile_us(50) == 0) return nullptr;
  return {{"p50_us", starts->percentile_us(50)}, {"p95_us", starts->percentile_us(95)}};
}

/// How telling the API goes, while it does not go well.
json patch_of(const PatchOutcome& failed, TimePoint now) {
  json out = {{"to", failed.change.to},
              {"attempts", failed.attempt},
              {"result", to_string(failed.result)},
              {"status", failed.answer.status},
              {"error", failed.answer.error.message()}};
  if (!failed.answer.message.empty()) out["message"] = failed.answer.message;
  if (failed.retry_at) {
    const Duration left = std::max(*failed.retry_at - now, Duration::zero());
    out["retry_in_ms"] = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  }
  return out;
}

json revision_of(Loop& loop, const Subject& subject) {
  json out = {{"namespace", subject.view.key.name_space},
              {"revision", subject.view.key.revision},
              {"service", subject.view.service},
              {"desired", subject.desired},
              {"ready", loop.registry().ready_count(subject.view.key)},
              {"unheard", loop.registry().unheard_count(subject.view.key)},
              {"stable", subject.collector.stable()},
              {"panic", subject.collector.panic()},
              {"wakes", subject.wakes},
              {"wake_to_ready", learned_of(loop, subject.view.key)},
              {"panicking", subject.last.panicking},
              {"excess_burst_capacity", subject.last.excess_burst_capacity},
              {"direct", subject.last.direct},
              {"sender_missing", subject.collector.sender_missing()},
              {"activators_wanted", wanted_activators(loop, subject)},
              {"replicas", json::array()},
              {"decisions", json::array()}};
  if (!subject.rival.empty()) out["left_alone_to"] = subject.rival;
  const std::string cause = loop.chronicle().cause(subject.view.key);
  if (!cause.empty()) out["cause"] = cause;
  const PatchOutcome* failed = loop.scaler().queue().failed(subject.view.key);
  if (failed != nullptr) out["patch"] = patch_of(*failed, loop.now());
  for (const ReplicaRecord& replica : loop.registry().replicas(subject.view.key)) {
    out["replicas"].push_back({{"name", replica.name},
                               {"address", replica.address},
                               {"state", to_string(replica.phase)},
                               {"capacity", replica.capacity}});
  }
  for (const LoggedDecision& decision : loop.log().of(subject.view.key)) {
    out["decisions"].push_back(decision_of(decision));
  }
  return out;
}

/// One number per revision.
template <class Read>
std::vector<Sample> per_revision(const Loop& loop, Read read) {
  std::vector<Sample> samples;
  for (const auto& [key, subject] : loop.subjects()) {
    Sample& sample = samples.emplace_back();
    sample.labels = {{"namespace", key.name_space}, {"revision", key.revision}};
    sample.value = static_cast<double>(read(*subject));
  }
  return samples;
}

void patch_metrics(Exposition& out, const Scaler& scaler) {
  out.counter("pilotlight_scale_patches_total", "Scale changes that the API took.",
              scaler.attempts(PatchResult::taken));
  out.counter("pilotlight_scale_failures_total", "Scale changes that failed and were tried again.",
              scaler.failures());
  std::vector<Sample> attempts;
  for (std::size_t i = 0; i < kPatchResults; ++i) {
    const auto result = static_cast<PatchResult>(i);
    Sample& sample = attempts.emplace_back();
    sample.labels = {{"result", std::string(to_string(result))}};
    sample.value = static_cast<double>(scaler.attempts(result));
  }
  out.counter("pilotlight_scale_attempts_total",
              "Scale changes sent to the API, by what came of it.", attempts);
  out.gauge("pilotlight_scale_in_flight", "Scale changes that the API has not answered yet.",
            static_cast<double>(scaler.queue().in_flight()));
  out.gauge("pilotlight_scale_in_flight_limit", "At most so many at once.",
            static_cast<double>(PatchQueue::kInFlightLimit));
  out.gauge("pilotlight_scale_waiting", "Scale changes that wait for their turn or their retry.",
            static_cast<double>(scaler.queue().waiting()));
}

std::vector<Sample> refusals(const wire::ServerCounts& wire) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < wire::kRefusals; ++i) {
    const auto why = static_cast<wire::Refusal>(i);
    Sample& sample = samples.emplace_back();
    sample.labels = {{"reason", std::string(wire::name_of(why))}};
    sample.value = static_cast<double>(wire.refused(why));
  }
  return samples;
}

void review_metrics(Exposition& out, const TokenReviews& reviews) {
  const TokenReviews::Counts& counts = reviews.counts();
  std::vector<Sample> samples;
  for (const auto& [result, count] :
       {std::pair("good", counts.good), std::pair("bad", counts.bad),
        std::pair("failed", counts.failed), std::pair("remembered", counts.known),
        std::pair("excess", counts.excess)}) {
    Sample& sample = samples.emplace_back();
    sample.labels = {{"result", result}};
    sample.value = static_cast<double>(count);
  }
  out.counter("pilotlight_token_reviews_total", "Tokens of HELLOs, by what came of their review.",
              samples);
  out.gauge("pilotlight_tokens_remembered", "Tokens whose review is remembered.",
            static_cast<double>(reviews.remembered()));
  out.gauge("pilotlight_tokens_remembered_limit", "At most so many.",
            static_cast<double>(TokenCache::kGoodLimit + TokenCache::kBadLimit));
}

void path_metrics(Exposition& out, const PathTeller& paths) {
  std::vector<Sample> marks(2);
  marks[0].labels = {{"result", "taken"}};
  marks[0].value = static_cast<double>(paths.taken());
  marks[1].labels = {{"result", "failed"}};
  marks[1].value = static_cast<double>(paths.failed());
  out.counter("pilotlight_traffic_path_marks_total",
              "Marks on private Services that say which way requests go.", marks);
  out.gauge("pilotlight_traffic_path_waiting", "Such marks that are to be written still.",
            static_cast<double>(paths.waiting()));
}

}  // namespace

std::string status_json(Loop& loop, std::string_view leader) {
  json out = {{"epoch", fmt::to_string(loop.epoch())},
              {"leading", loop.leading()},
              {"leader", leader},
              {"activators", loop.registry().activators()},
              {"revisions", json::array()}};
  for (const auto& [key, subject] : loop.subjects()) {
    out["revisions"].push_back(revision_of(loop, *subject));
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string metrics_text(Loop& loop, const wire::ServerCounts& wire, const TokenReviews* reviews) {
  Exposition out;
  out.gauge("pilotlight_revision_desired_replicas", "Replicas that the last decision asked for.",
            per_revision(loop, [](const Subject& s) { return s.desired; }));
  out.gauge("pilotlight_revision_ready_replicas", "Replicas that said READY and do not drain.",
            per_revision(loop, [&loop](const Subject& s) {
              return loop.registry().ready_count(s.view.key);
            }));
  out.gauge("pilotlight_revision_demand_stable",
            "Average demand over the stable window, in requests or requests per second.",
            per_revision(loop, [](const Subject& s) { return s.collector.stable(); }));
  out.gauge("pilotlight_revision_demand_panic",
            "Average demand over the panic window, in requests or requests per second.",
            per_revision(loop, [](const Subject& s) { return s.collector.panic(); }));
  out.gauge(
      "pilotlight_revision_demand_target", "Demand wanted per replica.",
      per_revision(loop, [](const Subject& s) { return s.view.policy.target_per_replica(); }));
  out.gauge("pilotlight_revision_panicking", "1 while in panic mode.",
            per_revision(loop, [](const Subject& s) { return s.last.panicking ? 1 : 0; }));
  out.counter("pilotlight_revision_wakes_total", "From zero replicas to some.",
              per_revision(loop, [](const Subject& s) { return s.wakes; }));
  out.gauge("pilotlight_revision_left_alone", "1 while somebody else scales it.",
            per_revision(loop, [](const Subject& s) { return s.rival.empty() ? 0 : 1; }));
  patch_metrics(out, loop.scaler());
  if (loop.paths() != nullptr) path_metrics(out, *loop.paths());
  out.counter("pilotlight_decision_lines_lost_total",
              "Lines of the event log that could not be written to disk.",
              loop.file() == nullptr ? 0 : loop.file()->lost());
  write_revision_metrics(out, loop);
  out.gauge("pilotlight_leading", "1 in the process that decides.", loop.leading() ? 1 : 0);
  out.gauge("pilotlight_activators", "Activators connected.",
            static_cast<double>(loop.registry().activators()));
  out.gauge("pilotlight_wire_connections", "Sidecars and activators connected.",
            static_cast<double>(wire.open));
  out.gauge("pilotlight_wire_connections_limit", "At most so many at once.",
            static_cast<double>(wire.limit));
  out.counter("pilotlight_wire_connections_total", "Connections accepted.", wire.accepted);
  out.counter("pilotlight_wire_refused_total", "Connections that came to nothing, by reason.",
              refusals(wire));
  out.counter("pilotlight_wire_sent_away_total", "HELLOs answered with who leads.", wire.sent_away);
  out.counter("pilotlight_wire_bad_frames_total", "Connections ended by bytes that are no frame.",
              wire.bad_frames);
  out.counter("pilotlight_wire_skipped_frames_total", "Frames of unknown type.", wire.skipped);
  out.counter("pilotlight_wire_frames_total", "Frames received.", wire.frames);
  if (reviews != nullptr) review_metrics(out, *reviews);
  return out.text();
}

}  // namespace pilotlight::autoscaler
