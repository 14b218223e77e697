#include "config/manifest.h"

#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "config/manifest_files.h"
#include "config/manifest_kinds.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

namespace fs = std::filesystem;

/// Gathers revisions over all files, and what is wrong anywhere.
class Loader {
 public:
  explicit Loader(const AutoscalerDefaults& defaults) : defaults_(defaults) {}

  void paths(const std::vector<std::string>& names) {
    for (const ManifestText& file : read_manifest_files(names, problems_)) {
      text(file.text, file.name, file.folder);
    }
  }

  void text(const std::string& text, const std::string& name, const std::string& folder) {
    auto documents = read_documents(text, name);
    if (!documents) {
      append(documents.error());
      return;
    }
    if (documents->empty()) {
      say(name, "got no document, expected a Service or a Deployment");
    }
    for (const Document& document : *documents) add(document, folder);
  }

  Checked<Manifests> finish() {
    if (!problems_.empty()) return std::move(problems_);
    return std::move(out_);
  }

  void say(const std::string& where, std::string_view text) {
    problems_.push_back(fmt::format("{}: {}", where, text));
  }

 private:
  void append(const Problems& more) { problems_.insert(problems_.end(), more.begin(), more.end()); }

  void add(const Document& document, const std::string& folder) {
    Report report([&document](const std::string& path) { return document.at(path); });
    std::vector<std::string> notes;
    Revision revision = read_revision(document, defaults_, report, notes);
    revision.folder = folder;
    std::string& work = revision.container.working_dir;
    if (!work.empty()) work = (fs::path(folder) / work).lexically_normal().string();
    append(report.problems());
    if (!revision.service.empty()) {
      const std::string key = revision.name_space + "/" + revision.service;
      const std::string here = document.at("metadata.name");
      const auto [first, added] = seen_.emplace(key, here);
      if (!added) {
        say(here, fmt::format("metadata.name: got {} again in namespace {}, expected another name "
                              "than in {}",
                              in_quotes(revision.service), revision.name_space, first->second));
      }
    }
    out_.revisions.push_back(std::move(revision));
    out_.notes.insert(out_.notes.end(), notes.begin(), notes.end());
  }

  const AutoscalerDefaults& defaults_;
  Manifests out_;
  Problems problems_;
  std::map<std::string, std::string> seen_;  // namespace/name, and where it was
};

}  // namespace

Checked<Manifests> load_manifests(const std::vector<std::string>& paths,
                                  const AutoscalerDefaults& defaults) {
  Loader loader(defaults);
  if (paths.empty()) loader.say("manifests", "got none, expected a file or a directory");
  loader.paths(paths);
  return loader.finish();
}

Checked<Manifests> read_manifest(const std::string& text, const std::string& name,
                                 const std::string& folder) {
  const AutoscalerDefaults defaults;
  Loader loader(defaults);
  loader.text(text, name, folder);
  return loader.finish();
}

}  // namespace pilotlight::config
