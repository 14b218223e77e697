#pragma once

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "common/async/shard.h"
#include "local/shim.h"

namespace pilotlight::local {

/// A shard that is run by hand, a launcher of the real shim, and a folder. Processes are real, so
/// waits are too: bounded, and over as soon as what is waited for is there.
struct ProcessFixture : testing::Test {
  Shard shard{0};
  ShimLauncher launcher{SHIM};
  std::filesystem::path folder;

  ProcessFixture() {
    folder =
        std::filesystem::temp_directory_path() / ("local-process-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
  }
  ~ProcessFixture() override { std::filesystem::remove_all(folder); }

  /// Runs the loop until `what` holds; false after 20 s.
  bool run_until(const std::function<bool()>& what) {
    for (int rounds = 0; rounds < 4000; ++rounds) {
      if (what()) return true;
      shard.loop().run_for(std::chrono::milliseconds(5));
    }
    return what();
  }

  static bool alive(int pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

  static ProcessSpec shell(const std::string& role, const std::string& script) {
    ProcessSpec spec;
    spec.role = role;
    spec.argv = {"sh", "-c", script};
    spec.env = {"PATH=/usr/bin:/bin"};
    return spec;
  }

  /// The number that a script wrote into a file of the folder; 0 while it is not there.
  int number_in(const std::string& name) const {
    std::ifstream file(folder / name);
    int number = 0;
    file >> number;
    return number;
  }
};

}  // namespace pilotlight::local
