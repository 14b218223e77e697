#include "cli/manifests.h"

#include <cstdio>

#include "cli/endpoint.h"
#include "config/convert.h"
#include "config/manifest_files.h"
#include "config/yaml_text.h"

namespace pilotlight::cli {
namespace {

using nlohmann::json;

constexpr int kExitConfig = 78;

int refuse(const config::Problems& problems) {
  for (const std::string& problem : problems) {
    std::fprintf(stderr, "pilotlight: %s\n", problem.c_str());
  }
  return kExitConfig;
}

config::Checked<std::vector<config::Document>> read(const std::vector<std::string>& paths) {
  config::Problems problems;
  std::vector<config::Document> out;
  for (const config::ManifestText& file : config::read_manifest_files(paths, problems)) {
    auto documents = config::read_documents(file.text, file.name);
    if (!documents) {
      problems.insert(problems.end(), documents.error().begin(), documents.error().end());
    } else if (documents->empty()) {
      problems.push_back(file.name + ": got no document, expected one at least");
    } else {
      for (config::Document& document : *documents) out.push_back(std::move(document));
    }
  }
  if (!problems.empty()) return problems;
  return out;
}

int print(const config::Checked<std::vector<json>>& documents, const std::string& output) {
  if (!documents) return refuse(documents.error());
  std::string text;
  if (output == "yaml") {
    text = config::to_yaml(*documents);
  } else if (documents->size() == 1) {
    text = documents->front().dump(2) + "\n";
  } else {
    const json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", *documents}};
    text = list.dump(2) + "\n";
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int convert(const ManifestArguments& arguments) {
  const auto documents = read(arguments.paths);
  if (!documents) return refuse(documents.error());
  return print(config::convert(*documents), arguments.output);
}

int inject(const ManifestArguments& arguments, const config::InjectSettings& settings) {
  const bool nowhere = settings.autoscaler.starts_with(':') || !parse_endpoint(settings.autoscaler);
  if (!settings.autoscaler.empty() && nowhere) {
    return refuse({"--autoscaler: got " + config::in_quotes(settings.autoscaler) +
                   ", expected ADDRESS:PORT, as 10.96.0.20:9444"});
  }
  const auto documents = read(arguments.paths);
  if (!documents) return refuse(documents.error());
  return print(config::inject(*documents, settings), arguments.output);
}

}  // namespace pilotlight::cli
