#include "controller/admission.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "common/base/base64.h"
#include "config/yaml_documents.h"
#include "config/yaml_text.h"

namespace pilotlight::controller {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kData = PILOTLIGHT_SOURCE_DIR "/tests/controller/data";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

constexpr const char* kController = "system:serviceaccount:pilotlight-system:pilotlight-controller";

AdmissionRules rules() {
  AdmissionRules out;
  out.sidecar.image = "registry.example.com/pilotlight-proxy:1";
  out.sidecar.pull_policy = "IfNotPresent";
  out.sidecar.autoscaler = "10.96.0.44:9444";
  out.sidecar.autoscaler_ca = "-----BEGIN CERTIFICATE-----\nCA\n-----END CERTIFICATE-----\n";
  return out;
}

json review_of(const json& object) {
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request", {{"uid", "u-1"}, {"namespace", "team"}, {"object", object}}}};
}

/// The object as the API server would store it: the response's patch applied.
json patched(const json& object, const json& answer) {
  EXPECT_EQ(answer["response"]["uid"], "u-1");
  EXPECT_EQ(answer["response"]["allowed"], true) << answer.dump(1);
  if (!answer["response"].contains("patch")) return object;
  EXPECT_EQ(answer["response"]["patchType"], "JSONPatch");
  const auto patch = from_base64(answer["response"]["patch"].get<std::string>());
  EXPECT_TRUE(patch);
  return object.patch(json::parse(patch.value_or("[]")));
}

json pod_of(const fs::path& path) {
  const auto documents = config::read_documents(read(path), path.filename().string());
  EXPECT_TRUE(documents && documents->size() == 1) << path;
  return documents ? documents->front().value : json();
}

/// Compares with `NAME.golden`; what differs is left in the working directory, to be looked at and
/// taken over.
void expect_golden(const fs::path& input, const std::string& text) {
  fs::path golden = input;
  golden.replace_extension(".golden");
  EXPECT_EQ(text, read(golden)) << golden;
  if (text != read(golden)) std::ofstream(golden.filename()) << text;
}

TEST(PodWebhook, EveryShapeOfPodBecomesItsGoldenFile) {
  std::size_t pods = 0;
  for (const auto& entry : fs::directory_iterator(kData)) {
    if (entry.path().extension() != ".yaml") continue;
    const json pod = pod_of(entry.path());
    const json answer = mutate_pod(review_of(pod), rules());
    ++pods;
    if (entry.path().filename().string().starts_with("refused-")) {
      EXPECT_EQ(answer["response"]["allowed"], false);
      EXPECT_FALSE(answer["response"].contains("patch"));
      expect_golden(entry.path(), config::to_yaml(answer["response"]["status"]));
      continue;
    }
    const json injected = patched(pod, answer);
    expect_golden(entry.path(), config::to_yaml(injected));
    const json again = mutate_pod(review_of(injected), rules());
    EXPECT_FALSE(again["response"].contains("patch")) << "injected twice: " << entry.path();
  }
  EXPECT_EQ(pods, 15U);
}

TEST(PodWebhook, OnlyOursAreTouched) {
  const json pod = json::parse(R"({"metadata":{"name":"p"},"spec":{"containers":[{}]}})");
  EXPECT_EQ(patched(pod, mutate_pod(review_of(pod), rules())), pod);
}

TEST(PodWebhook, APodOfNobodyIsRefused) {
  const json pod = json::parse(
      R"({"metadata":{"name":"p","labels":{"pilotlight.dev/inject":"true"}},
          "spec":{"containers":[{"name":"c","image":"i"}]}})");
  const json answer = mutate_pod(review_of(pod), rules());
  EXPECT_EQ(answer["response"]["allowed"], false);
  EXPECT_NE(answer.dump().find("pod p: metadata.ownerReferences: got no"), std::string::npos);
}

TEST(ServiceWebhook, ATakenServiceStaysTaken) {
  const json applied = json::parse(
      R"({"metadata":{"name":"iris","labels":{"pilotlight.dev/managed":"true"},
                      "annotations":{"pilotlight.dev/original-selector":"{\"app\":\"old\"}"}},
          "spec":{"selector":{"app":"iris"},"ports":[{"port":80}]}})");
  const json taken = patched(applied, mutate_service(review_of(applied), kController));
  EXPECT_FALSE(taken["spec"].contains("selector"));
  EXPECT_EQ(taken["metadata"]["annotations"][kSelectorAnnotation], R"({"app":"iris"})");
  EXPECT_EQ(taken["spec"]["ports"], applied["spec"]["ports"]);
  EXPECT_EQ(patched(taken, mutate_service(review_of(taken), kController)), taken)
      << "no selector: no change";
  json other = applied;
  other["metadata"].erase("labels");
  EXPECT_EQ(patched(other, mutate_service(review_of(other), kController)), other);
}

/// One that is taken over, and its manifest, as they come when `user` replaces it.
json replacement(const json& manifest, const char* user = "ann") {
  json review = review_of(manifest);
  review["request"]["operation"] = "UPDATE";
  review["request"]["userInfo"]["username"] = user;
  review["request"]["oldObject"] = json::parse(
      R"({"metadata":{"name":"iris","labels":{"pilotlight.dev/managed":"true","team":"red"},
                      "annotations":{"pilotlight.dev/original-selector":"{\"app\":\"old\"}",
                                     "pilotlight.dev/activator-port":"20007","a":"b"}},
          "spec":{"ports":[{"port":80}]}})");
  return review;
}

json manifest() {
  return json::parse(R"({"metadata":{"name":"iris"},
                         "spec":{"selector":{"app":"iris"},"ports":[{"port":81}]}})");
}

TEST(ServiceWebhook, AReplacedServiceStaysTakenAndKeepsItsPort) {
  const json taken = patched(manifest(), mutate_service(replacement(manifest()), kController));
  EXPECT_EQ(taken["metadata"]["labels"], json::parse(R"({"pilotlight.dev/managed":"true"})"));
  EXPECT_EQ(taken["metadata"]["annotations"][config::kPortAnnotation], "20007");
  EXPECT_EQ(taken["metadata"]["annotations"][kSelectorAnnotation], R"({"app":"iris"})");
  EXPECT_EQ(taken["metadata"]["annotations"].size(), 2U) << "all else is as the user wants it";
  EXPECT_EQ(taken["spec"], json::parse(R"({"ports":[{"port":81}]})"));
}

TEST(ServiceWebhook, WhatAReplacementSaysItselfGoesFirst) {
  json own = manifest();
  own["metadata"]["labels"][kManagedLabel] = "preparing";
  own["metadata"]["annotations"][config::kPortAnnotation] = "20009";
  const json taken = patched(own, mutate_service(replacement(own), kController));
  EXPECT_EQ(taken["metadata"]["labels"][kManagedLabel], "true");
  EXPECT_EQ(taken["metadata"]["annotations"][config::kPortAnnotation], "20009");

  json without = manifest();
  without["spec"].erase("selector");
  const json kept = patched(without, mutate_service(replacement(without), kController));
  EXPECT_EQ(kept["metadata"]["annotations"][kSelectorAnnotation], R"({"app":"old"})");
}

TEST(ServiceWebhook, OnlyTheControllerGivesAServiceBack) {
  const json review = replacement(manifest(), kController);
  EXPECT_EQ(patched(manifest(), mutate_service(review, kController)), manifest());
  json preparing = replacement(manifest());
  preparing["request"]["oldObject"]["metadata"]["labels"][kManagedLabel] = "preparing";
  EXPECT_EQ(patched(manifest(), mutate_service(preparing, kController)), manifest())
      << "it leads where its selector says";
  json created = replacement(manifest());
  created["request"]["oldObject"] = nullptr;
  EXPECT_EQ(patched(manifest(), mutate_service(created, kController)), manifest());
}

TEST(DeploymentWebhook, BadAnnotationsAreRefusedWithTheFullList) {
  const json bad = json::parse(
      R"({"metadata":{"name":"iris","labels":{"pilotlight.dev/inject":"true"},
                      "annotations":{"autoscaling.knative.dev/window":"soon",
                                     "autoscaling.knative.dev/min-scale":"-1"}},
          "spec":{"template":{"metadata":{"labels":{"pilotlight.dev/inject":"true"}},
                              "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  const json answer = validate_deployment(review_of(bad), rules());
  EXPECT_EQ(answer["response"]["allowed"], false);
  EXPECT_EQ(answer["response"]["status"]["code"], 422);
  const auto message = answer["response"]["status"]["message"].get<std::string>();
  EXPECT_EQ(message.find("pilotlight: deployment iris: "), 0U);
  EXPECT_NE(message.find("window]: got \"soon\""), std::string::npos) << message;
  EXPECT_NE(message.find("min-scale]: got \"-1\""), std::string::npos) << message;

  json good = bad;
  good["metadata"].erase("annotations");
  EXPECT_EQ(validate_deployment(review_of(good), rules())["response"]["allowed"], true);
  json others = bad;
  others["metadata"].erase("labels");
  EXPECT_EQ(validate_deployment(review_of(others), rules())["response"]["allowed"], true);
}

TEST(DeploymentWebhook, WhatWasWrongBeforeKeepsNobodyFromChangingTheRest) {
  const json good = json::parse(
      R"({"metadata":{"name":"iris","labels":{"pilotlight.dev/inject":"true"}},
          "spec":{"template":{"metadata":{"labels":{"pilotlight.dev/inject":"true"}},
                              "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  json bad = good;
  bad["metadata"]["annotations"]["autoscaling.knative.dev/window"] = "soon";
  json review = review_of(bad);
  review["request"]["oldObject"] = bad;
  EXPECT_EQ(validate_deployment(review, rules())["response"]["allowed"], true);
  review["request"]["oldObject"] = good;
  EXPECT_EQ(validate_deployment(review, rules())["response"]["allowed"], false);
  review["request"]["object"]["metadata"]["deletionTimestamp"] = "2026-11-25T08:00:00Z";
  EXPECT_EQ(validate_deployment(review, rules())["response"]["allowed"], true);
}

TEST(Webhooks, WhatIsNoReviewIsAnsweredAndAllowsNothing) {
  for (const char* text : {"null", "7", "[]", "{}", R"({"request":7})", R"({"request":{}})",
                           R"({"request":{"object":[]}})"}) {
    const json review = json::parse(text);
    for (const json& answer : {mutate_pod(review, rules()), mutate_service(review, kController),
                               validate_deployment(review, rules())}) {
      EXPECT_EQ(answer["response"]["allowed"], false) << text;
      EXPECT_EQ(answer["kind"], "AdmissionReview");
    }
  }
}

TEST(Base64, BothWays) {
  for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {std::string("\xff\0\xfe", 3), "/wD+"}}) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  for (const char* bad : {"Z", "Zg=", "Zh==", "Z===", "Zm9v\n", "Zm-v", "====", "Zg==Zg=="}) {
    EXPECT_EQ(from_base64(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace pilotlight::controller
