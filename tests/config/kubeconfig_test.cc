#include "config/kubeconfig.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>

#include "config/api_access.h"
#include "config/kubeconfig_list.h"
#include "tests/support/tls_identity.h"

namespace pilotlight::config {
namespace {

class KubeconfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "kubeconfig-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    write("ca.crt", ca_.certificate);
    write("me.crt", me_.certificate);
    write("me.key", me_.key);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  [[nodiscard]] Checked<kube::Access> read(const std::string& cluster, const std::string& user,
                                           const std::string& context = "",
                                           const Plugins* plugins = nullptr) const {
    write("config",
          "apiVersion: v1\nkind: Config\ncurrent-context: main\npreferences: {}\n"
          "contexts:\n- name: main\n  context: {cluster: home, user: me}\n"
          "- name: other\n  context: {cluster: away}\n"
          "clusters:\n- name: home\n  cluster: {" +
              cluster +
              "}\n"
              "users:\n- name: me\n  user: {" +
              user + "}\n");
    return read_kubeconfig(folder_ + "/config", context, plugins);
  }
  [[nodiscard]] std::string problem(const std::string& cluster, const std::string& user,
                                    const std::string& context = "") const {
    const auto got = read(cluster, user, context);
    return got ? "none" : got.error().front();
  }

  std::string folder_;
  test::TlsIdentity ca_ = test::make_tls_identity("ca");
  test::TlsIdentity me_ = test::make_tls_identity("me");
};

TEST_F(KubeconfigTest, ReadsFilesBesideItself) {
  const auto access = read("server: 'https://10.0.0.1:6443', certificate-authority: ca.crt",
                           "client-certificate: me.crt, client-key: me.key");
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->endpoint.address().to_string(), "10.0.0.1");
  EXPECT_EQ(access->endpoint.port(), 6443);
  EXPECT_EQ(access->host, "");
  EXPECT_NE(access->tls, nullptr);
}

TEST_F(KubeconfigTest, ReadsTokensAndNames) {
  auto access = read("server: 'https://k.example/api/', tls-server-name: inner", "token: abc");
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->host, "k.example:443");
  EXPECT_EQ(access->server_name, "inner");
  EXPECT_EQ(access->prefix, "/api");
  EXPECT_EQ(access->token, "abc");
  access = read("server: 'http://127.0.0.1:6480/t/x'", "tokenFile: token");
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->token_file, folder_ + "/token");
  EXPECT_EQ(access->tls, nullptr);
}

TEST_F(KubeconfigTest, ReadsDataInBase64) {
  const std::string base64 = "LS0tLS1CRUdJTg==";  // "-----BEGIN"
  EXPECT_NE(problem("server: 'https://k:1', certificate-authority-data: " + base64, "token: x")
                .find("its certificates: the roots"),
            std::string::npos);
  EXPECT_NE(
      problem("server: 'https://k:1', certificate-authority-data: 'a*b='", "token: x")
          .find("clusters[0].cluster.certificate-authority-data: got text that is not base64"),
      std::string::npos);
}

TEST_F(KubeconfigTest, ProblemsNameTheFileAndThePath) {
  const std::string server = "server: 'https://k:1'";
  const std::string file = folder_ + "/config:";
  const auto expect = [&](const std::string& got, const std::string& part) {
    EXPECT_TRUE(got.starts_with(file)) << got;
    EXPECT_NE(got.find(part), std::string::npos) << got;
  };
  expect(problem("server: k", ""), "clusters[0].cluster.server: got \"k\", expected");
  expect(problem("x: 1", ""), "clusters[0].cluster.server");
  expect(problem(server + ", insecure-skip-tls-verify: true", ""), "insecure-skip-tls-verify");
  expect(problem(server + ", proxy-url: p", ""), "proxy-url");
  expect(problem(server, "exec: {command: aws}"), "users[0].user.exec");
  expect(problem(server, "username: u, password: p"), "users[0].user.username");
  expect(problem(server, "client-certificate: me.crt"), "expected both or neither");
  expect(problem(server, "client-certificate: no.crt, client-key: me.key"), "no.crt");
  expect(problem(server, "client-certificate: ca.crt, client-key: me.key"), "its certificates");
  expect(problem(server, "", "other"), "got \"away\", expected a name in clusters");
  expect(problem(server, "", "third"), "got \"third\", expected a name in contexts");
  EXPECT_EQ(read_kubeconfig("/nowhere").error().front(), "/nowhere: cannot be read");
}

/// Kubeconfigs whose user is a program, and what it is asked and answers.
class PluginTest : public KubeconfigTest {
 protected:
  PluginTest() {
    plugins_.run = [this](const CredentialPlugin& plugin) {
      asked_ = plugin;
      return answer_;
    };
  }
  [[nodiscard]] Checked<kube::Access> fetch(const std::string& exec) {
    asked_.reset();
    return read(
        "server: 'https://k:1', certificate-authority: ca.crt, extensions: [{name: "
        "client.authentication.k8s.io/exec, extension: {pool: blue}}]",
        beside_ + "exec: {" + exec + "}", "", &plugins_);
  }
  [[nodiscard]] std::string problem_of(const std::string& exec) {
    const auto got = fetch(exec);
    return got ? "none" : got.error().front();
  }
  [[nodiscard]] nlohmann::json info() const {
    return nlohmann::json::parse(asked_->environment.back().second);
  }
  static std::string credential(const std::string& status) {
    return R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{)" +
           status + "}}";
  }

  Plugins plugins_;
  std::string beside_;  // of the user
  std::optional<CredentialPlugin> asked_;
  PluginAnswer answer_ = credential(R"("token":"fresh")");
  const std::string exec_ = "apiVersion: client.authentication.k8s.io/v1, command: aws";
};

TEST_F(PluginTest, ATokenIsFetched) {
  const auto access = fetch(exec_ +
                            ", args: [eks, get-token], env: [{name: AWS_PROFILE, value: me}], "
                            "interactiveMode: IfAvailable");
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->token, "fresh");
  EXPECT_EQ(asked_->command, "aws") << "looked for in PATH";
  EXPECT_EQ(asked_->arguments, (std::vector<std::string>{"eks", "get-token"}));
  EXPECT_EQ(asked_->environment.front(), std::pair(std::string("AWS_PROFILE"), std::string("me")));
  EXPECT_EQ(asked_->environment.back().first, "KUBERNETES_EXEC_INFO");
  EXPECT_EQ(info()["apiVersion"], "client.authentication.k8s.io/v1");
  EXPECT_EQ(info()["kind"], "ExecCredential");
  EXPECT_EQ(info()["spec"]["interactive"], false);
  EXPECT_FALSE(info()["spec"].contains("cluster"));
  ASSERT_TRUE(fetch("apiVersion: client.authentication.k8s.io/v1, command: bin/fetch").has_value());
  EXPECT_EQ(asked_->command, folder_ + "/bin/fetch");
}

TEST_F(PluginTest, WhatStandsThereAlreadyIsTaken) {
  for (const char* there :
       {"token: old, ", "tokenFile: token, ", "client-certificate: me.crt, client-key: me.key, "}) {
    beside_ = there;
    EXPECT_TRUE(fetch(exec_).has_value()) << there;
    EXPECT_FALSE(asked_.has_value()) << there;
  }
}

TEST_F(PluginTest, ACertificateIsFetched) {
  nlohmann::json status;
  status["clientCertificateData"] = me_.certificate;
  status["clientKeyData"] = me_.key;
  nlohmann::json all = nlohmann::json::parse(credential(""));
  all["status"] = status;
  answer_ = all.dump();
  const auto access = fetch(exec_);
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->ca_file, "") << "TLS made anew from the roots would be without it";
}

TEST_F(PluginTest, ThePluginIsToldOfTheClusterWhenItAsks) {
  ASSERT_TRUE(fetch(exec_ + ", provideClusterInfo: true").has_value());
  const auto cluster = info()["spec"]["cluster"];
  EXPECT_EQ(cluster["server"], "https://k:1");
  EXPECT_EQ(cluster["config"]["pool"], "blue");
  // What was encoded reads as the file it came from.
  const auto access = read("server: 'https://k:1', certificate-authority-data: " +
                               cluster["certificate-authority-data"].get<std::string>(),
                           "token: x");
  EXPECT_TRUE(access.has_value()) << access.error().front();
}

TEST_F(PluginTest, SomebodyIsAskedOnlyAtATerminal) {
  EXPECT_NE(problem_of(exec_ + ", interactiveMode: Always").find("interactiveMode"),
            std::string::npos);
  EXPECT_FALSE(asked_.has_value()) << "it was run all the same";
  plugins_.terminal = true;
  EXPECT_EQ(problem_of(exec_ + ", interactiveMode: Always"), "none");
  EXPECT_TRUE(asked_->interactive);
  EXPECT_EQ(info()["spec"]["interactive"], true);
  EXPECT_EQ(problem_of(exec_ + ", interactiveMode: Never"), "none");
  EXPECT_FALSE(asked_->interactive);
}

TEST_F(PluginTest, WhatIsWrongIsNamed) {
  const auto expect = [](const std::string& got, const std::string& part) {
    EXPECT_NE(got.find(part), std::string::npos) << got;
    EXPECT_NE(got.find("users[0].user.exec"), std::string::npos) << got;
  };
  expect(problem_of("command: aws"), "apiVersion: got nothing, expected client.auth");
  expect(problem_of("apiVersion: client.authentication.k8s.io/v1alpha1, command: aws"),
         "got \"client.authentication.k8s.io/v1alpha1\"");
  expect(problem_of("apiVersion: client.authentication.k8s.io/v1"), "command: got nothing");
  expect(problem_of(exec_ + ", interactiveMode: Maybe"), "got \"Maybe\"");
  expect(problem_of(exec_ + ", arguments: [x]"), "arguments");
  answer_ = std::string("{");
  expect(problem_of(exec_), "what aws wrote: got text that is no JSON object");
  answer_ = credential("");
  expect(problem_of(exec_), "got neither a token nor a certificate");
  answer_ = credential(R"("clientKeyData":"x")");
  expect(problem_of(exec_), "expected both or neither");
  answer_ = credential(R"("token":"a\nX-Other: b")");
  expect(problem_of(exec_), "status.token: got a control character");
  answer_ = credential(R"("token":1)");
  expect(problem_of(exec_), "status.token: got 1");
  answer_ = std::string(R"({"apiVersion":"client.authentication.k8s.io/v1beta1"})");
  expect(problem_of(exec_), "apiVersion: got \"client.authentication.k8s.io/v1beta1\"");
  answer_ = Problems(1, "exit 3");
  expect(problem_of(exec_), "aws: exit 3");
}

TEST_F(KubeconfigTest, TheFlagsComeBeforeTheCluster) {
  ApiFlags flags;
  flags.url = "http://127.0.0.1:1";
  flags.kubeconfig = folder_ + "/config";
  EXPECT_NE(find_api(flags).error().front().find("got both"), std::string::npos);
  flags.kubeconfig.clear();
  EXPECT_EQ(find_api(flags)->endpoint.port(), 1);
  flags.url = "https://";
  EXPECT_TRUE(find_api(flags).error().front().starts_with("--kube: got"));
  flags.url.clear();
  EXPECT_NE(find_api(flags).error().front().find("not in a cluster"), std::string::npos);

  flags.service_host = "10.96.0.1";
  flags.service_port = "443";
  flags.service_account = folder_;
  EXPECT_EQ(find_api(flags).error().front(),
            "no --kube and no --kubeconfig: " + folder_ + "/token: cannot be read");
  write("token", "t\n");
  const auto access = find_api(flags);
  ASSERT_TRUE(access.has_value()) << access.error().front();
  EXPECT_EQ(access->endpoint.port(), 443);
  EXPECT_EQ(access->token_file, folder_ + "/token");
  EXPECT_EQ(access->ca_file, folder_ + "/ca.crt");
}

TEST_F(KubeconfigTest, AContextThatWasAskedForIsNamedAsThat) {
  EXPECT_EQ(problem("server: 'https://10.0.0.1:6443'", "", "zzz"),
            folder_ + "/config:1: --context: got \"zzz\", expected a name in contexts");
}

TEST_F(KubeconfigTest, OfSeveralTheFirstThatHasTheContextIsChosen) {
  const auto file = [this](const std::string& name) { return folder_ + "/" + name; };
  const std::string list = file("none") + ":" + file("a") + "::" + file("b") + ":" + file("c");
  write("a", "contexts: [{name: one}]\n");
  write("b", "current-context: two\ncontexts: [{name: one}]\n");
  write("c", "current-context: one\ncontexts: [{name: one}, {name: two}]\n");
  EXPECT_EQ(choose_kubeconfig(list, "").path, file("c"));
  EXPECT_EQ(choose_kubeconfig(list, "").context, "two");
  EXPECT_EQ(choose_kubeconfig(list, "one").path, file("a"));
  EXPECT_EQ(choose_kubeconfig(list, "zzz").path, file("a")) << "which says that it has none";
  EXPECT_EQ(choose_kubeconfig(list, "zzz").context, "zzz");
  EXPECT_EQ(choose_kubeconfig(file("none"), "").path, file("none"));
  EXPECT_EQ(choose_kubeconfig("", "").path, "");
}

}  // namespace
}  // namespace pilotlight::config
