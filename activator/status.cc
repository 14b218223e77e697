#include "activator/status.h"

#include <algorithm>

#include "common/metrics/exposition.h"
#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

using Json = nlohmann::json;

std::vector<const RevisionReport*> sorted(const std::vector<RevisionReport>& reports) {
  std::vector<const RevisionReport*> order;
  for (const RevisionReport& report : reports) order.push_back(&report);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->revision->name_space, a->revision->name) <
           std::tie(b->revision->name_space, b->revision->name);
  });
  return order;
}

std::uint64_t sum(const std::vector<const Cells*>& shards, Cell Cells::*cell) {
  std::uint64_t total = 0;
  for (const Cells* cells : shards) total += (cells->*cell).read();
  return total;
}

Labels labels_of(const RevisionReport& report) {
  return {{"namespace", report.revision->name_space}, {"revision", report.revision->name}};
}

template <class Value>
std::vector<Sample> samples(const std::vector<const RevisionReport*>& reports, Value value) {
  std::vector<Sample> all;
  for (const RevisionReport* report : reports) {
    Sample sample;
    sample.labels = labels_of(*report);
    sample.value = static_cast<double>(value(*report));
    all.push_back(std::move(sample));
  }
  return all;
}

void write_revisions(Exposition& out, const std::vector<RevisionReport>& reports) {
  const auto all = sorted(reports);
  out.counter("pilotlight_activator_arrivals_total", "Requests that came, by revision.",
              samples(all, [](const RevisionReport& r) { return r.load.arrivals; }));
  out.counter("pilotlight_activator_completions_total", "Requests that a replica answered.",
              samples(all, [](const RevisionReport& r) { return r.load.completions; }));
  out.gauge("pilotlight_activator_parked", "Requests that wait for a replica.",
            samples(all, [](const RevisionReport& r) { return r.parked; }));
  out.gauge("pilotlight_activator_parked_bytes", "Memory that waiting requests take.",
            samples(all, [](const RevisionReport& r) { return r.parked_bytes; }));
  out.gauge("pilotlight_activator_in_flight", "Requests at a replica.",
            samples(all, [](const RevisionReport& r) { return r.in_flight; }));
  out.gauge("pilotlight_activator_replicas", "Replicas known.",
            samples(all, [](const RevisionReport& r) { return r.replicas.size(); }));
  std::vector<Sample> refusals;
  for (const RevisionReport* report : all) {
    for (std::size_t i = 0; i < kRefusalCauses; ++i) {
      if (report->load.refusals[i] == 0) continue;
      Sample sample;
      sample.labels = labels_of(*report);
      sample.labels.emplace_back("cause", to_string(static_cast<RefusalCause>(i)));
      sample.value = static_cast<double>(report->load.refusals[i]);
      refusals.push_back(std::move(sample));
    }
  }
  out.counter("pilotlight_activator_refusals_total",
              "Requests that ended without the app's answer.", refusals);
}

}  // namespace

Json status_json(const Picture& picture) {
  Json revisions = Json::array();
  for (const RevisionReport* report : sorted(picture.revisions)) {
    Json replicas = Json::array();
    for (const RevisionReport::ReplicaLine& line : report->replicas) {
      replicas.push_back(Json{{"name", line.place->name},
                              {"address", line.place->host},
                              {"capacity", line.capacity},
                              {"in_flight", line.in_flight},
                              {"state", std::string(line.state)}});
    }
    const auto oldest =
        std::chrono::duration_cast<std::chrono::milliseconds>(report->oldest_wait).count();
    revisions.push_back(Json{{"namespace", report->revision->name_space},
                             {"revision", report->revision->name},
                             {"service", report->revision->service},
                             {"parked", report->parked},
                             {"parked_bytes", report->parked_bytes},
                             {"oldest_wait_ms", oldest},
                             {"in_flight", report->in_flight},
                             {"arrivals_total", report->load.arrivals},
                             {"completions_total", report->load.completions},
                             {"requests_per_second", picture.rate(*report->revision)},
                             {"replicas", std::move(replicas)}});
  }
  return Json{{"epoch", std::to_string(picture.epoch)},
              {"state", picture.draining ? "draining" : "serving"},
              {"autoscaler_connected", picture.autoscaler_connected},
              {"service_ports", picture.doors},
              {"revisions", std::move(revisions)}};
}

std::string metrics_text(const Picture& picture) {
  Exposition out;
  std::vector<Sample> outcomes;
  for (std::size_t i = 0; i < kOutcomeLabel.size(); ++i) {
    Sample sample;
    sample.labels.emplace_back("outcome", kOutcomeLabel[i]);
    std::uint64_t total = 0;
    for (const Cells* cells : picture.cells) total += cells->requests[i].read();
    sample.value = static_cast<double>(total);
    outcomes.push_back(std::move(sample));
  }
  out.counter("pilotlight_activator_requests_total", "Requests that have ended, by how.", outcomes);
  out.counter("pilotlight_activator_bounces_total",
              "Requests that a sidecar sent back and that were placed again.",
              sum(picture.cells, &Cells::bounces));
  out.counter("pilotlight_activator_retries_total",
              "Requests sent again because nobody had started them.",
              sum(picture.cells, &Cells::retries));
  out.counter("pilotlight_activator_probes_total", "Probes answered.",
              sum(picture.cells, &Cells::probes));
  out.counter("pilotlight_activator_connections_total", "Downstream connections so far.",
              sum(picture.cells, &Cells::accepted));
  out.gauge("pilotlight_activator_connections", "Open downstream connections.",
            static_cast<double>(sum(picture.cells, &Cells::connections)));
  out.gauge("pilotlight_activator_parked_limit", "Bound of all waiting requests.",
            static_cast<double>(picture.limits.requests_total));
  out.gauge("pilotlight_activator_parked_all", "Waiting requests of all revisions.",
            static_cast<double>(picture.parked));
  out.gauge("pilotlight_activator_parked_bytes_limit", "Bound of their memory.",
            static_cast<double>(picture.limits.bytes_total));
  out.gauge("pilotlight_activator_parked_bytes_all", "Memory that waiting requests take.",
            static_cast<double>(picture.parked_bytes));
  out.gauge("pilotlight_activator_autoscaler_connected", "1 while the autoscaler is connected.",
            picture.autoscaler_connected ? 1.0 : 0.0);
  out.gauge("pilotlight_activator_service_ports", "Ports open, one per Service.",
            static_cast<double>(picture.doors));
  out.counter("pilotlight_activator_service_port_failures_total",
              "Attempts to listen on a Service's port that failed.", picture.door_failures);
  write_revisions(out, picture.revisions);
  return out.text();
}

}  // namespace pilotlight::activator
