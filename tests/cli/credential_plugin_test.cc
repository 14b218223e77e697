#include "cli/credential_plugin.h"

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

using namespace std::chrono_literals;

/// A shell that runs `script`.
config::CredentialPlugin shell(const std::string& script) {
  config::CredentialPlugin plugin;
  plugin.command = "sh";
  plugin.arguments = {"-c", script, "sh", "an argument"};
  plugin.environment = {{"TOKEN", "x"}, {"HOME", "/nowhere"}, {"TOKEN", "its environment"}};
  return plugin;
}

std::string error_of(const config::CredentialPlugin& plugin, Duration patience = 60s) {
  const auto answer = run_plugin(plugin, patience);
  return answer ? "none" : answer.error().front();
}

TEST(CredentialPlugin, WhatItWritesIsItsAnswer) {
  const auto answer = run_plugin(shell("echo \"$1, $TOKEN, $HOME, ${PATH:+a path}\""));
  ASSERT_TRUE(answer.has_value()) << answer.error().front();
  EXPECT_EQ(*answer, "an argument, its environment, /nowhere, a path\n");
}

TEST(CredentialPlugin, NobodyIsAskedWithoutATerminal) {
  const auto answer = run_plugin(shell("cat; echo end"));
  ASSERT_TRUE(answer.has_value()) << answer.error().front();
  EXPECT_EQ(*answer, "end\n");
}

TEST(CredentialPlugin, LongAnswersComeWhole) {
  const auto answer = run_plugin(shell("head -c 300000 /dev/zero"));
  ASSERT_TRUE(answer.has_value()) << answer.error().front();
  EXPECT_EQ(answer->size(), 300'000U);
  EXPECT_EQ(error_of(shell("head -c 2000000 /dev/zero")), "has written more than 1 MiB");
}

TEST(CredentialPlugin, FailuresSayWhy) {
  EXPECT_EQ(error_of(shell("echo a token; exit 3")), "exit 3");
  EXPECT_EQ(error_of(shell("kill -TERM $$")), "killed by signal 15");
  config::CredentialPlugin missing;
  missing.command = "no-such-program";
  missing.install_hint = "It is in the package x.";
  EXPECT_EQ(error_of(missing), "cannot be run: No such file or directory\nIt is in the package x.");
  EXPECT_EQ(error_of(shell("exec sleep 600"), 200ms), "has not ended after 0 s");
  // Its output has ended, it has not.
  EXPECT_EQ(error_of(shell("exec >&-; exec sleep 600"), 200ms), "has not ended after 0 s");
}

}  // namespace
}  // namespace pilotlight::cli
