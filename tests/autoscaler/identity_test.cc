#include "autoscaler/identity.h"

#include <gtest/gtest.h>

#include "tests/autoscaler/fake_peer.h"
#include "tests/autoscaler/tokens.h"

namespace pilotlight::autoscaler {
namespace {

using wire::Refusal;

TokenOwner owner() { return read_review(reviewed("default", "models", "r1")); }

PodIdentity pod() {
  PodIdentity out;
  out.name_space = "default";
  out.name = "r1";
  out.uid = "uid-1";
  out.revision = "iris-00001";
  out.addresses = {"10.1.2.3"};
  return out;
}

wire::Hello sidecar() {
  wire::Hello hello = FakePeer::sidecar("r1", 5);
  hello.address = "10.1.2.3:8012";
  hello.token = web_token(kForUs);
  return hello;
}

std::optional<Refusal> why(const std::optional<wire::Objection>& objection) {
  if (!objection) return std::nullopt;
  return objection->why;
}

TEST(ReadReview, SaysWhoseATokenIs) {
  const TokenOwner read = owner();
  EXPECT_TRUE(read.authenticated);
  EXPECT_EQ(read.name_space, "default");
  EXPECT_EQ(read.account, "models");
  EXPECT_EQ(read.pod, "r1");
  EXPECT_EQ(read.pod_uid, "uid-1");
}

TEST(ReadReview, WhatIsNotForUsIsNotAuthenticated) {
  EXPECT_FALSE(read_review(Json()).authenticated);
  EXPECT_FALSE(read_review(not_authenticated()).authenticated);
  Json other = reviewed("default", "models", "r1");
  other["status"]["audiences"] = {"vault"};
  EXPECT_FALSE(read_review(other).authenticated);
  other["status"].erase("audiences");
  EXPECT_FALSE(read_review(other).authenticated) << "a server that knows no audiences";
}

TEST(ReadReview, PeopleAndNodesHaveNoAccount) {
  Json node = reviewed("default", "models", "r1");
  node["status"]["user"]["username"] = "system:node:n1";
  EXPECT_TRUE(read_review(node).authenticated);
  EXPECT_EQ(why(object_to_token(sidecar(), read_review(node), "pl")), Refusal::role);
}

TEST(ReadClaims, AreReadWithoutBelievingThem) {
  const TokenClaims claims = read_claims(web_token(kForUs));
  EXPECT_EQ(claims.audiences, std::vector<std::string>{"pilotlight"});
  EXPECT_EQ(claims.expires, WallTime(std::chrono::seconds(3600)));
  for (const char* bad : {"", "a", "a.b", "..", "a.!.c", "a.e30.c"}) {
    EXPECT_FALSE(read_claims(bad).expires) << bad;
  }
}

TEST(ObjectToToken, ASidecarSpeaksForItsOwnPod) {
  EXPECT_EQ(why(object_to_token(sidecar(), owner(), "pl")), std::nullopt);
  wire::Hello other = sidecar();
  other.replica = "r2";
  EXPECT_EQ(why(object_to_token(other, owner(), "pl")), Refusal::pod);
  other = sidecar();
  other.revision.name_space = "prod";
  EXPECT_EQ(why(object_to_token(other, owner(), "pl")), Refusal::pod);
  const TokenOwner unbound = read_review(reviewed("default", "models", ""));
  EXPECT_EQ(why(object_to_token(sidecar(), unbound, "pl")), Refusal::pod);
}

TEST(ObjectToToken, AnActivatorNeedsItsServiceAccount) {
  const wire::Hello hello = FakePeer::activator();
  const auto of = [](const char* space, const char* account) {
    return read_review(reviewed(space, account, "x"));
  };
  EXPECT_EQ(why(object_to_token(hello, of("pl", "pilotlight-activator"), "pl")), std::nullopt);
  EXPECT_EQ(why(object_to_token(hello, of("default", "pilotlight-activator"), "pl")),
            Refusal::role);
  EXPECT_EQ(why(object_to_token(hello, of("pl", "default"), "pl")), Refusal::role);
}

TEST(ObjectToToken, SaysWhatIsWrongWithOneThatIsNotAuthenticated) {
  wire::Hello hello = sidecar();
  EXPECT_EQ(why(object_to_token(hello, TokenOwner(), "pl")), Refusal::token);
  hello.token = web_token(kForOthers);
  EXPECT_EQ(why(object_to_token(hello, TokenOwner(), "pl")), Refusal::audience);
  hello.token = "nonsense";
  EXPECT_EQ(why(object_to_token(hello, TokenOwner(), "pl")), Refusal::token);
}

TEST(ObjectToPod, RevisionAddressAndUidAreThePods) {
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), pod(), std::nullopt)), std::nullopt);
  PodIdentity other = pod();
  other.uid = "uid-2";
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), other, std::nullopt)), Refusal::pod);
  other = pod();
  other.revision = "iris-00002";
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), other, std::nullopt)), Refusal::revision);
  wire::Hello elsewhere = sidecar();
  elsewhere.address = "10.1.2.4:8012";
  EXPECT_EQ(why(object_to_pod(elsewhere, owner(), pod(), std::nullopt)), Refusal::pod);
  elsewhere.address = "nowhere";
  EXPECT_EQ(why(object_to_pod(elsewhere, owner(), pod(), std::nullopt)), Refusal::pod);
}

TEST(ObjectToPod, AnOlderProcessIsRefusedAndTheSameIsNot) {
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), pod(), 6)), Refusal::epoch);
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), pod(), 5)), std::nullopt);
  EXPECT_EQ(why(object_to_pod(sidecar(), owner(), pod(), 4)), std::nullopt);
}

TEST(ViewIdentity, ReadsWhatThePodSays) {
  const Json seen = {{"metadata",
                      {{"namespace", "default"},
                       {"name", "r1"},
                       {"uid", "uid-1"},
                       {"labels", {{"serving.knative.dev/revision", "iris-00001"}}}}},
                     {"status",
                      {{"podIP", "10.1.2.3"},
                       {"podIPs", Json::array({{{"ip", "10.1.2.3"}}, {{"ip", "fd00::3"}}})},
                       {"initContainerStatuses",
                        Json::array({{{"name", "pilotlight-proxy"}, {"restartCount", 2}}})}}}};
  const PodIdentity read = view_identity(seen);
  EXPECT_EQ(read.revision, "iris-00001");
  EXPECT_EQ(read.addresses, (std::set<std::string>{"10.1.2.3", "fd00::3"}));
  EXPECT_EQ(read.sidecar_restarts, 2);
  EXPECT_TRUE(view_identity(Json()).addresses.empty());
}

}  // namespace
}  // namespace pilotlight::autoscaler
