#include "local/shim_protocol.h"

#include <gtest/gtest.h>

namespace pilotlight::local {
namespace {

std::vector<ProcessSpec> a_pair() {
  ProcessSpec app;
  app.role = "app";
  app.argv = {"server", "--flag=", "two words", "new\nline"};
  app.env = {"A=1", "EMPTY="};
  app.directory = "/some/where";
  app.log_fd = 7;
  ProcessSpec activator;
  activator.role = "activator";
  activator.argv = {"activator"};
  activator.listen_fds = {5, 6};
  return {app, activator};
}

/// What follows the byte count.
std::string payload(const std::string& encoded) { return encoded.substr(encoded.find('\n') + 1); }

TEST(ShimSpec, ComesBackAsItWas) {
  const std::string encoded = encode_spec(a_pair());
  EXPECT_EQ(encoded.substr(0, encoded.find('\n')), std::to_string(payload(encoded).size()));
  const auto decoded = decode_spec(payload(encoded));
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->size(), 2u);
  EXPECT_EQ((*decoded)[0].argv, a_pair()[0].argv);
  EXPECT_EQ((*decoded)[0].env, a_pair()[0].env);
  EXPECT_EQ((*decoded)[0].directory, "/some/where");
  EXPECT_EQ((*decoded)[0].log_fd, 7);
  EXPECT_EQ((*decoded)[1].role, "activator");
  EXPECT_EQ((*decoded)[1].listen_fds, (std::vector<int>{5, 6}));
}

TEST(ShimSpec, NoPrefixOfOneIsOne) {
  const std::string whole = payload(encode_spec(a_pair()));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(decode_spec(whole.substr(0, n))) << n << " bytes of " << whole.size();
  }
  EXPECT_FALSE(decode_spec(whole + "x"));
}

TEST(ShimSpec, AProcessWithoutACommandIsRefused) {
  ProcessSpec nothing;
  nothing.role = "app";
  EXPECT_FALSE(decode_spec(payload(encode_spec({nothing}))));
}

TEST(ShimReport, EveryKindComesBackAsItWas) {
  ShimReport started;
  started.kind = ShimReport::Kind::started;
  started.role = "sidecar";
  started.pid = 42;
  started.exec_us = 3'000'000'000'123;
  ShimReport failed;
  failed.kind = ShimReport::Kind::failed;
  failed.role = "app";
  failed.text = "exec x: No such file or directory";
  ShimReport killed;
  killed.kind = ShimReport::Kind::exited;
  killed.role = "app";
  killed.pid = 43;
  killed.by_signal = true;
  killed.code = 9;
  for (const ShimReport& report : {started, failed, killed, ShimReport()}) {
    std::string line = encode_report(report);
    ASSERT_EQ(line.back(), '\n');
    line.pop_back();
    const auto decoded = decode_report(line);
    ASSERT_TRUE(decoded) << line;
    EXPECT_EQ(decoded->kind, report.kind);
    EXPECT_EQ(decoded->role, report.role);
    EXPECT_EQ(decoded->pid, report.pid);
    EXPECT_EQ(decoded->exec_us, report.exec_us);
    EXPECT_EQ(decoded->by_signal, report.by_signal);
    EXPECT_EQ(decoded->code, report.code);
    EXPECT_EQ(decoded->text, report.text);
  }
}

TEST(ShimReport, WhatIsNotOneIsNothing) {
  for (const char* line : {"", "started", "started app", "started app x 1", "started app 1 x",
                           "exited app 1 because 3", "exited app 1 code", "empty room", "hello"}) {
    EXPECT_FALSE(decode_report(line)) << line;
  }
}

}  // namespace
}  // namespace pilotlight::local
