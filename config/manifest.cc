#include "config/manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "config/manifest_kinds.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMostBytes = 4 * 1024 * 1024;

/// Gathers revisions over all files, and what is wrong anywhere.
class Loader {
 public:
  explicit Loader(const AutoscalerDefaults& defaults) : defaults_(defaults) {}

  void path(const std::string& name) {
    std::error_code error;
    const fs::file_status status = fs::status(name, error);
    if (status.type() == fs::file_type::not_found) {
      say(name, "got nothing there, expected a file or a directory");
    } else if (fs::is_directory(status)) {
      directory(name);
    } else {
      file(name);
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

  void directory(const std::string& name) {
    std::vector<std::string> files;
    std::error_code error;
    for (auto entry = fs::directory_iterator(name, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string extension = entry->path().extension().string();
      const bool wanted = extension == ".yaml" || extension == ".yml" || extension == ".json";
      std::error_code ignored;  // what cannot be examined is not a manifest
      if (wanted && !entry->is_directory(ignored)) files.push_back(entry->path().string());
    }
    if (error) {
      say(name, fmt::format("got {}, expected a directory that can be read", error.message()));
    } else if (files.empty()) {
      say(name, "got a directory without manifests, expected *.yaml, *.yml or *.json files in it");
    }
    std::sort(files.begin(), files.end());
    for (const std::string& each : files) file(each);
  }

  void file(const std::string& name) {
    std::ifstream stream(name, std::ios::binary);
    std::string content;
    constexpr std::size_t kPiece = 64 * 1024;
    while (stream && content.size() <= kMostBytes) {
      const std::size_t before = content.size();
      content.resize(before + kPiece);
      stream.read(content.data() + before, kPiece);
      content.resize(before + static_cast<std::size_t>(stream.gcount()));
    }
    if (!stream.eof()) {
      const bool too_long = content.size() > kMostBytes;
      say(name, too_long ? fmt::format("got more than {} bytes, expected a manifest", kMostBytes)
                         : "got a file that cannot be read, expected one that can");
      return;
    }
    std::error_code error;
    const fs::path absolute = fs::absolute(name, error).lexically_normal();
    text(content, name, absolute.parent_path().string());
  }

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
  for (const std::string& path : paths) loader.path(path);
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
