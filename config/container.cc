#include "config/container.h"

#include "config/pod_spec_reader.h"

namespace pilotlight::config {

Checked<PodSpec> read_pod_spec(const nlohmann::json& spec, std::string_view where) {
  Report report;
  PodSpecNotes notes;
  ObjectReader reader(&spec, std::string(where), report, Unknown::ignored);
  PodSpec out = read_pod_spec(reader, notes);
  if (!report.problems().empty()) return report.problems();
  return out;
}

}  // namespace pilotlight::config
