#include "config/kubeconfig_list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/file_text.h"
#include "common/kube/json.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

struct Candidate {
  std::string path;
  nlohmann::json value;

  [[nodiscard]] bool has(const std::string& context) const {
    const auto& all = kube::array(value, {"contexts"});
    return std::any_of(all.begin(), all.end(), [&context](const nlohmann::json& each) {
      return kube::text(each, {"name"}) == context;
    });
  }
};

std::vector<std::string> split(const std::string& paths) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= paths.size();) {
    const std::size_t end = std::min(paths.find(':', at), paths.size());
    if (end > at) out.push_back(paths.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

/// The files that are there; what does not read as one document counts as an empty one.
std::vector<Candidate> read_all(const std::vector<std::string>& paths) {
  std::vector<Candidate> out;
  for (const std::string& path : paths) {
    const auto text = file_text(path);
    if (!text) continue;
    Candidate candidate;
    candidate.path = path;
    const auto documents = read_documents(*text, path);
    if (documents && documents->size() == 1) candidate.value = documents->front().value;
    out.push_back(std::move(candidate));
  }
  return out;
}

}  // namespace

ChosenKubeconfig choose_kubeconfig(const std::string& paths, const std::string& context) {
  const std::vector<std::string> names = split(paths);
  const std::vector<Candidate> files = read_all(names);
  ChosenKubeconfig chosen;
  chosen.context = context;
  for (const Candidate& file : files) {
    if (!chosen.context.empty()) break;
    chosen.context = kube::text(file.value, {"current-context"});
  }
  const auto found = std::find_if(files.begin(), files.end(), [&chosen](const Candidate& file) {
    return file.has(chosen.context);
  });
  if (found != files.end()) {
    chosen.path = found->path;
    return chosen;
  }
  chosen.context = context;
  const std::string& first = names.empty() ? paths : names.front();
  chosen.path = files.empty() ? first : files.front().path;
  return chosen;
}

}  // namespace pilotlight::config
