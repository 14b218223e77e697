#include "activator/flags.h"

#include <fstream>

#include <gtest/gtest.h>

#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

FlagsOutcome read(std::vector<const char*> arguments, const Surroundings& around = {}) {
  arguments.insert(arguments.begin(), "pilotlight-activator");
  return read_flags(static_cast<int>(arguments.size()), arguments.data(), around);
}

TEST(FlagsTest, WhatIsNotSaidHasADefault) {
  Surroundings around;
  around.cores = 16;
  const auto outcome =
      read({"--kube", "http://127.0.0.1:6480", "--autoscaler", "127.1.2.3:9444"}, around);
  ASSERT_TRUE(outcome.flags) << outcome.text;
  EXPECT_EQ(to_string(outcome.flags->admin), "127.0.0.1:8022");
  EXPECT_EQ(to_string(outcome.flags->metrics), "127.0.0.1:9090");
  EXPECT_EQ(to_string(outcome.flags->listen), "0.0.0.0:8012");
  EXPECT_EQ(to_string(outcome.flags->autoscaler), "127.1.2.3:9444");
  EXPECT_EQ(outcome.flags->shards, 4u);
  EXPECT_EQ(outcome.flags->park.requests, 1000u);
  EXPECT_EQ(outcome.flags->park.bytes, 64u << 20);
  EXPECT_TRUE(outcome.flags->passed.empty());
  EXPECT_EQ(outcome.flags->lame_duck, Duration::zero());
  EXPECT_EQ(outcome.flags->replica, "activator-127.0.0.1");
}

TEST(FlagsTest, OnAClusterItIsNamedByItsPodAndMayBeALameDuck) {
  Surroundings around;
  around.pod_name = "pilotlight-activator-abc";
  const auto outcome = read({"--kube", "http://127.0.0.1:1", "--autoscaler", "127.0.0.1:2",
                             "--address", "0.0.0.0", "--lame-duck", "5s"},
                            around);
  ASSERT_TRUE(outcome.flags) << outcome.text;
  EXPECT_EQ(outcome.flags->replica, "pilotlight-activator-abc");
  EXPECT_EQ(outcome.flags->lame_duck, std::chrono::seconds(5));
  for (const char* bad : {"5", "-1s", "31s", "soon", ""}) {
    const auto refused =
        read({"--kube", "http://127.0.0.1:1", "--autoscaler", "127.0.0.1:2", "--lame-duck", bad});
    EXPECT_NE(refused.text.find("--lame-duck"), std::string::npos) << bad << refused.text;
  }
}

TEST(FlagsTest, ANumberThatDoesNotFitIsToldAsTheOthersAre) {
  const auto told = [](const char* flag, const char* value) {
    const auto outcome =
        read({"--kube", "http://127.0.0.1:1", "--autoscaler", "127.0.0.1:2", flag, value});
    EXPECT_EQ(outcome.exit_code, 78);
    return outcome.text.substr(0, outcome.text.find('\n'));
  };
  EXPECT_EQ(told("--admin-port", "70000"),
            "--admin-port: got \"70000\", expected an integer in [0, 65535]");
  EXPECT_EQ(told("--metrics-port", "x"),
            "--metrics-port: got \"x\", expected an integer in [0, 65535]");
  EXPECT_EQ(told("--shards", "257"), "--shards: got \"257\", expected an integer in [0, 256]");
  EXPECT_EQ(told("--park-bytes", "-1"),
            "--park-bytes: got \"-1\", expected an integer in [0, 9223372036854775807]");
}

TEST(FlagsTest, AllProblemsAreToldAtOnce) {
  const auto outcome =
      read({"--kube", "here", "--autoscaler", "there", "--address", "x", "--listen", "y",
            "--token-file", "/no/such/file", "--autoscaler-ca", "/no/such/ca"});
  EXPECT_FALSE(outcome.flags);
  EXPECT_EQ(outcome.exit_code, 78);
  for (const char* flag :
       {"--kube", "--autoscaler", "--address", "--listen", "--token-file", "--autoscaler-ca"}) {
    EXPECT_NE(outcome.text.find(flag), std::string::npos) << flag;
  }
}

TEST(FlagsTest, AnUnknownOrMissingFlagIsAMistakeAndHelpIsNot) {
  EXPECT_EQ(read({}).exit_code, 78);
  EXPECT_EQ(read({"--no-such-flag"}).exit_code, 78);
  const auto bad_shards =
      read({"--kube", "http://127.0.0.1:1", "--autoscaler", "127.0.0.1:2", "--shards", "many"});
  EXPECT_EQ(bad_shards.exit_code, 78);
  EXPECT_EQ(read({"--help"}).exit_code, 0);
  EXPECT_EQ(read({"--version"}).exit_code, 0);
}

PassedEnvironment passed(const char* fds, const char* names, const char* pid) {
  PassedEnvironment environment;
  if (fds != nullptr) environment.fds = fds;
  if (names != nullptr) environment.names = names;
  if (pid != nullptr) environment.pid = pid;
  environment.own_pid = 42;
  return environment;
}

TEST(PassedSocketsTest, NamesBelongToDescriptorsFromThreeOn) {
  const auto sockets = passed_sockets(passed("3", "gateway:iris:other/iris", "42"));
  ASSERT_TRUE(sockets);
  ASSERT_EQ(sockets->size(), 3u);
  EXPECT_EQ((*sockets)[0].descriptor, 3);
  EXPECT_EQ((*sockets)[0].name, "gateway");
  EXPECT_EQ((*sockets)[2].descriptor, 5);
  EXPECT_EQ((*sockets)[2].name, "other/iris");
}

TEST(PassedSocketsTest, ASocketWithoutANameIsTheGateway) {
  const auto sockets = passed_sockets(passed("1", nullptr, nullptr));
  ASSERT_TRUE(sockets);
  ASSERT_EQ(sockets->size(), 1u);
  EXPECT_EQ((*sockets)[0].name, "gateway");
}

TEST(PassedSocketsTest, WhatIsMeantForAnotherProcessIsNotTaken) {
  EXPECT_TRUE(passed_sockets(passed("2", "a:b", "41"))->empty());
  EXPECT_TRUE(passed_sockets(passed(nullptr, "a:b", "42"))->empty());
}

TEST(PassedSocketsTest, NonsenseIsNamed) {
  EXPECT_EQ(passed_sockets(passed("x", "", "42")).error(),
            "LISTEN_FDS: got \"x\", expected a number of sockets");
  EXPECT_TRUE(passed_sockets(passed("-1", "", "42")).has_error());
  EXPECT_EQ(passed_sockets(passed("1", "a:b", "42")).error(),
            "LISTEN_FDNAMES: got \"a:b\", expected 1 names");
  EXPECT_EQ(passed_sockets(passed("1", "a", "me")).error(),
            "LISTEN_PID: got \"me\", expected a process id");
}

}  // namespace
}  // namespace pilotlight::activator
