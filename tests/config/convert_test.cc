#include "config/convert.h"

#include <functional>

#include <gtest/gtest.h>

#include "config/manifest.h"
#include "config/yaml_text.h"
#include "tests/config/manifest_text.h"

namespace pilotlight::config {
namespace {

using nlohmann::json;

std::vector<Document> documents_of(const std::string& text) {
  auto documents = read_documents(text, "x.yaml");
  EXPECT_TRUE(documents);
  return documents ? *documents : std::vector<Document>();
}

std::vector<json> converted(const std::string& text) {
  const auto out = convert(documents_of(text));
  EXPECT_TRUE(out) << out.error().front();
  return out ? *out : std::vector<json>();
}

TEST(Convert, AServiceBecomesADeploymentAndAService) {
  const auto out = converted(test::service(
      "        autoscaling.knative.dev/window: \"30s\"\n        team: red\n",
      "      containerConcurrency: 4\n      timeoutSeconds: 120\n      idleTimeoutSeconds: 9\n",
      "          readinessProbe: {httpGet: {path: /r}}\n"));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(to_yaml(out),
            "apiVersion: apps/v1\n"
            "kind: Deployment\n"
            "metadata:\n"
            "  annotations:\n"
            "    autoscaling.knative.dev/window: \"30s\"\n"
            "  labels:\n"
            "    pilotlight.dev/inject: \"true\"\n"
            "  name: iris\n"
            "spec:\n"
            "  selector:\n"
            "    matchLabels:\n"
            "      app: iris\n"
            "  template:\n"
            "    metadata:\n"
            "      annotations:\n"
            "        pilotlight.dev/container-concurrency: \"4\"\n"
            "        pilotlight.dev/idle-timeout-seconds: \"9\"\n"
            "        pilotlight.dev/timeout-seconds: \"120\"\n"
            "        team: red\n"
            "      labels:\n"
            "        app: iris\n"
            "        pilotlight.dev/inject: \"true\"\n"
            "    spec:\n"
            "      containers:\n"
            "      - image: example.com/iris\n"
            "        name: user-container\n"
            "        ports:\n"
            "        - containerPort: 8080\n"
            "          name: http1\n"
            "        readinessProbe:\n"
            "          httpGet:\n"
            "            path: /r\n"
            "            port: 8080\n"
            "      enableServiceLinks: false\n"
            "      terminationGracePeriodSeconds: 120\n"
            "---\n"
            "apiVersion: v1\n"
            "kind: Service\n"
            "metadata:\n"
            "  name: iris\n"
            "spec:\n"
            "  ports:\n"
            "  - name: http\n"
            "    port: 80\n"
            "    protocol: TCP\n"
            "    targetPort: 8080\n"
            "  selector:\n"
            "    app: iris\n");
}

TEST(Convert, WhatALaptopCannotDoIsKept) {
  const auto out = converted(test::service(
      "",
      "      serviceAccountName: reader\n"
      "      volumes: [{name: model, persistentVolumeClaim: {claimName: model}}]\n"
      "      initContainers: [{name: fetch, image: example.com/fetch}]\n",
      "          env: [{name: KEY, valueFrom: {secretKeyRef: {name: k, key: v}}}]\n"
      "          ports: [{containerPort: 9000}]\n"
      "          readinessProbe: {grpc: {}}\n          livenessProbe: {successThreshold: 1}\n"));
  ASSERT_EQ(out.size(), 2U);
  const json& spec = out[0]["spec"]["template"]["spec"];
  EXPECT_EQ(spec["volumes"][0]["persistentVolumeClaim"]["claimName"], "model");
  EXPECT_EQ(spec["initContainers"][0]["name"], "fetch");
  EXPECT_EQ(spec["serviceAccountName"], "reader");
  const json& container = spec["containers"][0];
  EXPECT_EQ(container["env"][0]["valueFrom"]["secretKeyRef"]["key"], "v");
  EXPECT_EQ(container["readinessProbe"]["grpc"]["port"], 9000);
  EXPECT_EQ(container["livenessProbe"]["tcpSocket"]["port"], 9000) << "Knative's default handler";
  EXPECT_EQ(out[1]["spec"]["ports"][0]["targetPort"], 9000);
}

TEST(Convert, ThePortThatTakesTheRequestsIsOnTheContainerThatHasOne) {
  const auto out = converted(
      "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: iris, namespace: team}\n"
      "spec: {template: {spec: {containers: [{name: logs, image: l}, {name: app, image: a, ports: "
      "[{containerPort: 7000}]}]}}}\n");
  ASSERT_EQ(out.size(), 2U);
  const json& containers = out[0]["spec"]["template"]["spec"]["containers"];
  EXPECT_FALSE(containers[0].contains("ports"));
  EXPECT_EQ(out[1]["spec"]["ports"][0]["targetPort"], 7000);
  EXPECT_EQ(out[1]["metadata"]["namespace"], "team");
}

TEST(Convert, TheResultRunsOnALaptopToo) {
  auto out = converted(test::service("        autoscaling.knative.dev/max-scale: \"3\"\n",
                                     "      containerConcurrency: 4\n"));
  ASSERT_EQ(out.size(), 2U);
  // A laptop has no field for this one.
  const auto manifests = read_manifest(to_yaml(out[0]), "x.yaml", "/srv");
  ASSERT_TRUE(manifests) << manifests.error().front();
  EXPECT_EQ(manifests->revisions[0].container_concurrency, 4U);
  EXPECT_EQ(manifests->revisions[0].policy.max_scale, 3U);
}

TEST(Convert, OtherDocumentsStayAndOtherKnativeKindsAreRefused) {
  const std::string map =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: \"1\"}\n";
  const auto out = converted(map + "---\n" + test::service());
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0]["data"]["a"], "1");
  const auto refused = convert(
      documents_of("apiVersion: serving.knative.dev/v1\nkind: Route\nmetadata: {name: m}\n"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error()[0].find("Route"), std::string::npos) << refused.error()[0];
}

TEST(Convert, EveryProblemIsToldWithItsLine) {
  const auto refused = convert(documents_of(test::service(
      "        autoscaling.knative.dev/window: soon\n", "      containerConcurrency: -1\n")));
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), 2U);
  for (const std::string& problem : refused.error()) {
    EXPECT_EQ(problem.find("x.yaml:"), 0U) << problem;
  }
}

TEST(InjectDocuments, OnlyWhatAsksForItGetsTheSidecar) {
  InjectSettings settings;
  const std::string plain =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {template: {spec: "
      "{containers: [{name: c, image: i}]}}}\n";
  const auto out = inject(documents_of(test::deployment() + "---\n" + plain), settings);
  ASSERT_TRUE(out) << out.error().front();
  const json& injected = (*out)[0]["spec"]["template"]["spec"];
  EXPECT_EQ(injected["initContainers"][0]["name"], kSidecarName);
  EXPECT_EQ((*out)[1], documents_of(plain)[0].value);
}

TEST(InjectDocuments, ProblemsHaveTheirLine) {
  const auto out =
      inject(documents_of(test::deployment() + "      hostNetwork: true\n"), InjectSettings());
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error()[0].find("x.yaml:16: spec.template.spec.hostNetwork: got true"), 0U)
      << out.error()[0];
}

/// The documents as items of a v1 List, as `kubectl get -o yaml` writes them.
std::string listed(const std::vector<std::string>& documents) {
  std::string out = "apiVersion: v1\nkind: List\nitems:\n";
  for (const std::string& document : documents) {
    std::string before = "- ";
    for (std::size_t at = 0; at < document.size();) {
      const std::size_t end = document.find('\n', at) + 1;
      out += before + document.substr(at, end - at);
      before = "  ";
      at = end;
    }
  }
  return out;
}

TEST(Convert, TheItemsOfAListAreConvertedEach) {
  const auto one = converted(test::service());
  const std::string map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";
  const auto out = converted(listed({map, test::service()}));
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0]["kind"], "ConfigMap");
  EXPECT_EQ(out[1], one[0]);
  EXPECT_EQ(out[2], one[1]);
}

TEST(Convert, AProblemOfAnItemHasItsPlace) {
  const auto refused = convert(
      documents_of(listed({test::service(), test::service("", "      timeoutSeconds: no\n")})));
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), 1U);
  EXPECT_EQ(refused.error()[0].find("x.yaml:23: items[1]: spec.template.spec.timeoutSeconds: got"),
            0U)
      << refused.error()[0];
}

TEST(Convert, WhatTheWebhookWouldRefuseIsRefusedWithItsLine) {
  const auto refused = convert(
      documents_of(test::service("", "", "          ports: [{containerPort: 8080, name: h2c}]\n")));
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), 1U);
  EXPECT_EQ(refused.error()[0].find("x.yaml:11: spec.template.spec.containers[0].ports[0].name: "
                                    "got \"h2c\""),
            0U)
      << refused.error()[0];
}

TEST(Convert, ADocumentThatIsNoObjectOfKubernetesIsRefused) {
  for (const auto& act :
       {std::function(convert), std::function([](const std::vector<Document>& documents) {
          return inject(documents, InjectSettings());
        })}) {
    const auto wrong = [&act](const std::string& text) {
      const auto out = act(documents_of(text));
      std::string all;
      if (!out) {
        for (const std::string& problem : out.error()) all += problem + "\n";
      }
      return all;
    };
    EXPECT_EQ(wrong("metadata: {name: m}\n"),
              "x.yaml:1: kind: got nothing, expected the kind of an object, as Deployment\n"
              "x.yaml:1: apiVersion: got nothing, expected the version of its kind, as apps/v1\n");
    EXPECT_EQ(wrong("just words\n"), "x.yaml:1: got \"just words\", expected an object\n");
    EXPECT_EQ(wrong("apiVersion: v1\nkind: List\nitems: []\n"),
              "x.yaml:3: items: got none, expected one at least\n");
    EXPECT_EQ(wrong("apiVersion: v1\nkind: List\nitems: [{kind: Pod}]\n"),
              "x.yaml:3: items[0]: apiVersion: got nothing, expected the version of its kind, as "
              "apps/v1\n");
  }
}

TEST(InjectDocuments, TheItemsOfAListGetTheSidecarEach) {
  const auto out =
      inject(documents_of(listed({test::deployment(), test::deployment()})), InjectSettings());
  ASSERT_TRUE(out) << out.error().front();
  ASSERT_EQ(out->size(), 2U);
  for (const json& each : *out) {
    EXPECT_EQ(each["spec"]["template"]["spec"]["initContainers"][0]["name"], kSidecarName);
  }
  const auto refused = inject(
      documents_of(listed({test::deployment() + "      hostNetwork: true\n"})), InjectSettings());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error()[0].find("x.yaml:19: items[0]: spec.template.spec.hostNetwork: got"), 0U)
      << refused.error()[0];
}

}  // namespace
}  // namespace pilotlight::config
