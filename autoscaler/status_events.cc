#include "autoscaler/status_events.h"

#include "common/control/event_log.h"

namespace pilotlight::autoscaler {
namespace {

nlohmann::json about(const wire::RevisionKey& revision) {
  return nlohmann::json{{"namespace", revision.name_space}, {"revision", revision.revision}};
}

}  // namespace

nlohmann::json decision_event(const wire::RevisionKey& revision, const Change& change,
                              TimePoint patched_at) {
  nlohmann::json event = about(revision);
  event["from"] = change.from;
  event["to"] = change.to;
  event["reason"] = to_string(change.reason);
  event["text"] = change.text;
  if (change.poked_at) event["poke_at_us"] = control::monotonic_us(*change.poked_at);
  event["decided_at_us"] = control::monotonic_us(change.decided_at);
  event["patched_at_us"] = control::monotonic_us(patched_at);
  return event;
}

nlohmann::json ready_event(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                           TimePoint now) {
  nlohmann::json event = about(revision);
  event["replica"] = replica.name;
  event["listen_us"] = replica.listen_us;
  event["ready_us"] = replica.ready_us;
  event["ready_at_us"] = control::monotonic_us(now);
  return event;
}

nlohmann::json not_ready_event(const wire::RevisionKey& revision, const ReplicaRecord& replica,
                               std::string_view reason) {
  nlohmann::json event = about(revision);
  event["replica"] = replica.name;
  event["reason"] = reason;
  return event;
}

}  // namespace pilotlight::autoscaler
