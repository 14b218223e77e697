#include "config/kubeconfig.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "config/api_access.h"
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
                                           const std::string& context = "") const {
    write("config",
          "apiVersion: v1\nkind: Config\ncurrent-context: main\npreferences: {}\n"
          "contexts:\n- name: main\n  context: {cluster: home, user: me}\n"
          "- name: other\n  context: {cluster: away}\n"
          "clusters:\n- name: home\n  cluster: {" +
              cluster +
              "}\n"
              "users:\n- name: me\n  user: {" +
              user + "}\n");
    return read_kubeconfig(folder_ + "/config", context);
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

}  // namespace
}  // namespace pilotlight::config
