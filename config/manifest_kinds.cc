#include "config/manifest_kinds.h"

#include <algorithm>

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

constexpr std::string_view kKinds = "Service (serving.knative.dev/v1) or Deployment (apps/v1)";

/// What an exported object carries and nobody writes.
void ignore_server_fields(ObjectReader& metadata) {
  metadata.ignore({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
                   "selfLink", "finalizers", "ownerReferences"});
}

bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

std::string join_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

void check_name(const std::string& path, const std::string& name, std::size_t longest,
                Report& report) {
  const bool fits = !name.empty() && name.size() <= longest &&
                    std::all_of(name.begin(), name.end(), is_name_char) && name.front() != '-' &&
                    name.back() != '-';
  if (fits) return;
  report.wrong(path, in_quotes(name),
               fmt::format("at most {} lower-case letters, digits and \"-\", beginning and ending "
                           "with a letter or digit",
                           longest));
}

Metadata read_metadata(ObjectReader& root, std::size_t longest) {
  ObjectReader reader = root.object("metadata");
  Metadata out;
  out.name = reader.needed_text("name", "a name");
  if (!out.name.empty()) check_name(reader.path_of("name"), out.name, longest, root.report());
  out.name_space = reader.text("namespace").value_or("default");
  constexpr std::size_t kLongestNamespace = 63;
  check_name(reader.path_of("namespace"), out.name_space, kLongestNamespace, root.report());
  out.labels = reader.strings("labels");
  out.annotations = reader.strings("annotations");
  reader.refuse("generateName", "name");
  ignore_server_fields(reader);
  reader.end();
  return out;
}

Revision read_revision(const Document& document, const AutoscalerDefaults& defaults, Report& report,
                       std::vector<std::string>& notes) {
  ObjectReader root(&document.value, "", report, Unknown::refused);
  if (!document.value.is_object()) return Revision();
  const auto kind = root.needed_text("kind", kKinds);
  const auto version = root.needed_text("apiVersion", "serving.knative.dev/v1 or apps/v1");
  if (kind.empty() || version.empty()) return Revision();
  const bool service = kind == "Service";
  if (!service && kind != "Deployment") {
    report.wrong("kind", in_quotes(kind), kKinds);
    return Revision();
  }
  const std::string_view wanted = service ? "serving.knative.dev/v1" : "apps/v1";
  if (version != wanted) {
    report.wrong("apiVersion", in_quotes(version), fmt::format("{} for a {}", wanted, kind));
    return Revision();
  }
  std::vector<std::string> ignored;
  Revision revision = service ? read_service(root, defaults, ignored)
                              : read_plain_deployment(root, defaults, ignored);
  root.ignore({"status"});
  root.end();
  revision.source = report.where("");
  if (!revision.container_path.empty()) revision.source = document.at(revision.container_path);
  if (!ignored.empty()) {
    notes.push_back(fmt::format("{}: {} {}: not used on a laptop: {}", document.at(""), kind,
                                revision.service, join_names(ignored)));
  }
  return revision;
}

}  // namespace pilotlight::config
