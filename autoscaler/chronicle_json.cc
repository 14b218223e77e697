#include "autoscaler/chronicle_json.h"

#include <string_view>

#include "common/wire/utf8.h"

namespace pilotlight::autoscaler {
namespace {

using nlohmann::json;

constexpr std::size_t kWordsMax = 2000;  // bytes of what an app wrote last

std::int64_t us(Duration length) {
  return std::chrono::duration_cast<std::chrono::microseconds>(length).count();
}

/// Only causes that were met.
json counts(const RefusalCounts& refusals) {
  json out = json::object();
  for (std::size_t i = 0; i < kRefusalCauses; ++i) {
    if (refusals[i] > 0) out[std::string(to_string(static_cast<RefusalCause>(i)))] = refusals[i];
  }
  return out;
}

std::string_view last_part(const std::string& words) { return wire::utf8_suffix(words, kWordsMax); }

void add_failure(json& fields, const PodView& pod) {
  if (!pod.blocked.empty()) fields["blocked"] = last_part(pod.blocked);
  if (!pod.end) return;
  fields["container"] = pod.end->container;
  fields["exit_code"] = pod.end->exit_code;
  if (!pod.end->reason.empty()) fields["exit_reason"] = pod.end->reason;
  fields["last_words"] = last_part(pod.end->last_words);
  fields["restarts"] = pod.restarts;
  if (pod.backing_off) fields["backing_off"] = true;
}

}  // namespace

json patch_fields(const PatchOutcome& outcome) {
  const bool taken = outcome.result == PatchResult::taken;
  json fields = {{"from", outcome.change.from},
                 {"to", outcome.change.to},
                 {"attempt", outcome.attempt},
                 {"result", to_string(outcome.result)},
                 {"taken", taken},
                 {"took_us", us(outcome.ended_at - outcome.sent_at)}};
  if (outcome.answer.status != 0) fields["status"] = outcome.answer.status;
  if (!taken) fields["error"] = outcome.answer.error.message();
  if (!outcome.answer.message.empty()) fields["message"] = outcome.answer.message;
  if (outcome.retry_at) fields["retry_us"] = us(*outcome.retry_at - outcome.ended_at);
  return fields;
}

json phase_fields(const std::string& replica, std::string_view phase) {
  return {{"replica", replica}, {"phase", phase}};
}

json ready_fields(const ReplicaRecord& replica) {
  json fields = phase_fields(replica.name, "ready");
  fields["listen_us"] = replica.listen_us;
  fields["ready_us"] = replica.ready_us;
  fields["capacity"] = replica.capacity;
  return fields;
}

json exited_fields(const PodView& pod) {
  json fields = phase_fields(pod.name, "exited");
  add_failure(fields, pod);
  return fields;
}

json cold_start_fields(const ColdStart& story) {
  json phases = json::object();
  for (std::size_t i = 0; i < kPhases; ++i) {
    if (!story.phases[i]) continue;
    phases[std::string(to_string(static_cast<Phase>(i)))] = us(*story.phases[i]);
  }
  json fields = {{"replica", story.replica},
                 {"to_ready_us", us(story.to_ready)},
                 {"phases_us", std::move(phases)}};
  if (story.waited) fields["to_answer_us"] = us(*story.waited);
  return fields;
}

json refusal_fields(const RefusalSummary& summary) {
  json fields = {{"period_us", us(summary.period)},
                 {"activators", counts(summary.activators)},
                 {"sidecars", counts(summary.sidecars)}};
  if (summary.unseen) fields["unseen"] = true;
  return fields;
}

json wake_failed_fields(const wire::Woken& woken, const PodView* replica,
                        std::optional<Duration> running) {
  json fields = {{"waited_us", woken.waited_us}};
  const bool known = static_cast<std::size_t>(woken.cause) < kRefusalCauses;
  fields["cause"] = known ? to_string(woken.cause) : std::string_view("other");
  if (replica == nullptr) return fields;
  fields["replica"] = replica->name;
  add_failure(fields, *replica);
  if (running) fields["running_us"] = us(*running);
  return fields;
}

std::string broken_text(const PodView& pod) {
  if (!pod.blocked.empty()) return std::string(last_part(pod.blocked));
  if (!pod.end) return {};
  std::string text = pod.end->container + " exited with " + std::to_string(pod.end->exit_code);
  if (!pod.end->reason.empty()) text += " (" + pod.end->reason + ")";
  return pod.backing_off ? "CrashLoopBackOff: " + text : text;
}

std::string not_taken_text(const PatchOutcome& outcome) {
  constexpr unsigned kTransient = 2;  // attempts that fail for reasons which pass by themselves
  if (!outcome.retry_at) return {};   // taken, or not wanted any more
  if (outcome.change.to <= outcome.change.from) return {};
  if (outcome.result != PatchResult::refused && outcome.attempt <= kTransient) return {};
  const PatchAnswer& answer = outcome.answer;
  std::string text = "the API does not take " + std::to_string(outcome.change.to) +
                     (outcome.change.to == 1 ? " replica: " : " replicas: ") +
                     (answer.message.empty() ? answer.error.message() : answer.message);
  if (answer.status != 0) text += " (HTTP " + std::to_string(answer.status) + ")";
  return text;
}

std::string left_alone_text(const std::string& who) {
  return who + " scales this Deployment, pilotlight leaves it alone";
}

}  // namespace pilotlight::autoscaler
