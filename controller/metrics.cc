#include "controller/metrics.h"

#include <vector>

#include "common/metrics/exposition.h"

namespace pilotlight::controller {
namespace {

std::vector<Sample> samples_of(const Counts& counts, const char* what) {
  std::vector<Sample> samples;
  for (const auto& [key, count] : counts) {
    Sample& sample = samples.emplace_back();
    sample.labels = {{what, key.first}, {"result", key.second}};
    sample.value = static_cast<double>(count);
  }
  return samples;
}

void add_end(std::vector<Sample>& samples, const char* name, const KeyPair& pair) {
  const auto end = certificate_end(pair.certificate);
  if (!end) return;
  Sample& sample = samples.emplace_back();
  sample.labels = {{"certificate", name}};
  sample.value = static_cast<double>(end->time_since_epoch().count());
}

}  // namespace

std::string metrics_text(const MetricsFacts& facts) {
  Exposition out;
  out.counter("pilotlight_controller_reviews_total", "Admission reviews answered, by result.",
              samples_of(facts.reviews, "webhook"));
  out.counter("pilotlight_controller_writes_total", "Writes to the API, by what came of them.",
              samples_of(facts.writes, "kind"));
  out.gauge("pilotlight_controller_due", "Objects that wait to be looked at.",
            static_cast<double>(facts.due));
  out.gauge("pilotlight_controller_services_left_alone",
            "Services in front of our pods that are not taken over.",
            static_cast<double>(facts.left_alone));
  out.gauge("pilotlight_controller_leading", "1 in the process that writes.",
            facts.leading ? 1 : 0);
  std::vector<Sample> ends;
  add_end(ends, "webhook", facts.credentials.serving);
  add_end(ends, "authority", facts.credentials.authority);
  out.gauge("pilotlight_controller_certificate_end_timestamp_seconds",
            "When a certificate ends, in Unix time.", ends);
  return out.text();
}

}  // namespace pilotlight::controller
