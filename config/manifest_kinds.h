#pragma once

#include <string>
#include <vector>

#include "config/json_reader.h"
#include "config/revision.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {

/// Reads one document, a Knative Service or a plain Deployment, into a revision; the revision is
/// only good if `report` has no problems. What is ignored on a laptop is added to `notes`.
[[nodiscard]] Revision read_revision(const Document& document, const AutoscalerDefaults& defaults,
                                     Report& report, std::vector<std::string>& notes);

/// The parts that both kinds share (manifest_kinds.cc).
struct Metadata {
  std::string name;
  std::string name_space;
  StringMap labels;
  StringMap annotations;
};

/// `longest` bounds the name, so that what is derived from it stays a valid name.
[[nodiscard]] Metadata read_metadata(ObjectReader& root, std::size_t longest);

/// A name that can be part of a host name: letters, digits and `-`.
void check_name(const std::string& path, const std::string& name, std::size_t longest,
                Report& report);

/// `<name>-private` is a label as well, of at most 63 characters.
inline constexpr std::size_t kLongestPlainName = 55;

/// Annotations that belong to the Deployment, on its pods at `path`, and the other way round.
void refuse_on_template(const StringMap& annotations, const std::string& path, Report& report);
void refuse_on_deployment(const StringMap& annotations, Report& report);

/// A Knative Service whose kind and apiVersion have been checked. `pod_fields`: whether what a
/// laptop cannot do in the pod's spec is a problem; for a cluster it is not.
[[nodiscard]] Revision read_service(ObjectReader& root, const AutoscalerDefaults& defaults,
                                    std::vector<std::string>& ignored,
                                    Unknown pod_fields = Unknown::refused);

/// A plain Deployment whose kind and apiVersion have been checked.
[[nodiscard]] Revision read_plain_deployment(ObjectReader& root, const AutoscalerDefaults& defaults,
                                             std::vector<std::string>& ignored);

}  // namespace pilotlight::config
