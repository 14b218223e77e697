#include "config/manifest_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

namespace pilotlight::config {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMostBytes = 4 * 1024 * 1024;

class Files {
 public:
  explicit Files(Problems& problems) : problems_(problems) {}

  void path(const std::string& name) {
    std::error_code error;
    const fs::file_status status = fs::status(name, error);
    if (name == "-") {
      stream(std::cin, name, fs::current_path(error).string());
    } else if (status.type() == fs::file_type::not_found) {
      say(name, "got nothing there, expected a file or a directory");
    } else if (fs::is_directory(status)) {
      directory(name);
    } else {
      file(name);
    }
  }

  std::vector<ManifestText> take() { return std::move(texts_); }

 private:
  void say(const std::string& where, std::string_view text) {
    problems_.push_back(fmt::format("{}: {}", where, text));
  }

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
    std::ifstream content(name, std::ios::binary);
    std::error_code error;
    const fs::path absolute = fs::absolute(name, error).lexically_normal();
    stream(content, name, absolute.parent_path().string());
  }

  void stream(std::istream& from, const std::string& name, std::string folder) {
    std::string content;
    constexpr std::size_t kPiece = 64 * 1024;
    while (from && content.size() <= kMostBytes) {
      const std::size_t before = content.size();
      content.resize(before + kPiece);
      from.read(content.data() + before, kPiece);
      content.resize(before + static_cast<std::size_t>(from.gcount()));
    }
    if (!from.eof()) {
      const bool too_long = content.size() > kMostBytes;
      say(name, too_long ? fmt::format("got more than {} bytes, expected a manifest", kMostBytes)
                         : "got a file that cannot be read, expected one that can");
      return;
    }
    ManifestText text;
    text.name = name;
    text.folder = std::move(folder);
    text.text = std::move(content);
    texts_.push_back(std::move(text));
  }

  Problems& problems_;
  std::vector<ManifestText> texts_;
};

}  // namespace

std::vector<ManifestText> read_manifest_files(const std::vector<std::string>& paths,
                                              Problems& problems) {
  Files files(problems);
  for (const std::string& path : paths) files.path(path);
  return files.take();
}

}  // namespace pilotlight::config
