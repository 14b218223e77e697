// docs/manifest.md and the examples are loaded as a user would.

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "config/manifest.h"

namespace pilotlight::config {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PILOTLIGHT_SOURCE_DIR;

void expect_runnable(const Checked<Manifests>& manifests, const std::string& name) {
  if (!manifests) {
    for (const std::string& problem : manifests.error()) ADD_FAILURE() << name << ": " << problem;
    return;
  }
  for (const Revision& revision : manifests->revisions) {
    for (const std::string& problem : check_runnable_locally(revision)) ADD_FAILURE() << problem;
  }
}

TEST(Documentation, EveryYamlBlockOfTheManifestPageLoads) {
  std::ifstream file(kRoot / "docs" / "manifest.md");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::string begin = "\n```yaml\n";
  std::size_t blocks = 0;
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    at += begin.size();
    const std::string block = text.substr(at, text.find("\n```", at) + 1 - at);
    expect_runnable(read_manifest(block, "docs/manifest.md", "/srv"), block);
    ++blocks;
  }
  EXPECT_GE(blocks, 2U);
}

TEST(Documentation, TheManifestPageListsEveryAnnotationAndDefault) {
  std::ifstream file(kRoot / "docs" / "manifest.md");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // What exists is what the errors about an unknown one list.
  const auto policy = read_scaling_policy({{"autoscaling.knative.dev/?", ""}}, 0);
  const auto defaults = read_autoscaler_defaults({{"?", ""}}, "");
  ASSERT_FALSE(policy);
  ASSERT_FALSE(defaults);
  std::size_t names = 0;
  for (std::string list : {policy.error().front(), defaults.error().front()}) {
    list = list.substr(list.find("one of ") + 7) + ",";
    for (std::size_t end = list.find_first_of(",>"); end != std::string::npos;
         end = list.find_first_of(",>")) {
      const std::string name = list.substr(0, end);
      list.erase(0, list.find_first_not_of(" ,>", end));
      EXPECT_NE(text.find("| `" + name + "` |"), std::string::npos) << name;
      ++names;
    }
  }
  EXPECT_EQ(names, 15U + 20U);
  for (const char* name : {kProgressDeadlineAnnotation, "pilotlight.dev/", "| `floor` |",
                           "| `target-parked-wait` |"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(Documentation, EveryExampleLoads) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "examples")) {
    const bool hidden = entry.path().string().find("/.") != std::string::npos;
    if (hidden || entry.path().extension() != ".yaml") continue;
    // Has a Service of the core group, which a laptop has no use for; `./dev cluster demo` runs it.
    if (entry.path().parent_path().filename() == "kubernetes") continue;
    expect_runnable(load_manifests({entry.path().string()}), entry.path().string());
    ++files;
  }
  EXPECT_GE(files, 1U);
}

}  // namespace
}  // namespace pilotlight::config
