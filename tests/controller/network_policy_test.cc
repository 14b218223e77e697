// What deploy/base/network-policies.yaml leaves open to everybody, and to whoever watches.

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "common/kube/json.h"
#include "config/yaml_documents.h"

namespace pilotlight::controller {
namespace {

using kube::Json;
using Ports = std::set<std::pair<std::int64_t, std::int64_t>>;  // from, to

struct Open {
  Ports to_all;
  Ports to_monitoring;
};

const Json& monitoring() {
  static const Json peers = Json::parse(
      R"([{"namespaceSelector":{"matchLabels":{"pilotlight.dev/monitoring":"true"}}}])");
  return peers;
}

/// A rule without `from` is for everybody, and so is an empty list of them.
Open read_rules(const Json& policy) {
  Open out;
  for (const Json& rule : kube::array(policy, {"spec", "ingress"})) {
    const Json& from = kube::array(rule, {"from"});
    EXPECT_TRUE(from.empty() || from == monitoring()) << from.dump();
    Ports& ports = from.empty() ? out.to_all : out.to_monitoring;
    EXPECT_FALSE(kube::array(rule, {"ports"}).empty()) << "no port is every port: " << rule.dump();
    for (const Json& port : kube::array(rule, {"ports"})) {
      const std::int64_t first = kube::integer(port, {"port"}).value_or(0);
      ports.emplace(first, kube::integer(port, {"endPort"}).value_or(first));
    }
  }
  return out;
}

TEST(NetworkPolicies, OpenToEverybodyIsWhatIsServedAndNoAdminPort) {
  std::ifstream file(PILOTLIGHT_SOURCE_DIR "/deploy/base/network-policies.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto documents = config::read_documents(text, "network-policies.yaml");
  ASSERT_TRUE(documents);
  std::map<std::string, Open> found;
  for (const config::Document& document : *documents) {
    const Json& policy = document.value;
    const std::string name(kube::name_of(policy));
    EXPECT_EQ(kube::array(policy, {"spec", "policyTypes"}), Json::array({"Ingress"})) << name;
    const Json* pods = kube::find(policy, {"spec", "podSelector", "matchLabels"});
    ASSERT_NE(pods, nullptr) << name;
    EXPECT_EQ(*pods, Json({{"app.kubernetes.io/name", name}}));
    found[name] = read_rules(policy);
  }
  const Ports metrics = {{9090, 9090}};
  const std::map<std::string, Open> expected = {
      {"pilotlight-activator", {{{8012, 8012}, {20000, 29999}}, metrics}},
      {"pilotlight-autoscaler", {{{9444, 9444}}, metrics}},
      {"pilotlight-controller", {{{9443, 9443}}, metrics}}};
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, open] : expected) {
    EXPECT_EQ(found[name].to_all, open.to_all) << name;
    EXPECT_EQ(found[name].to_monitoring, open.to_monitoring) << name;
  }
}

}  // namespace
}  // namespace pilotlight::controller
