#include "common/kube/json.h"

#include <gtest/gtest.h>

#include "common/kube/back_off.h"
#include "common/kube/client.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

TEST(KubeJson, WrongShapesAreAbsentAndNeverThrow) {
  const Json object = Json::parse(
      R"({"a":{"s":"x","n":5,"big":18446744073709551615,"b":true,"l":[1]},"metadata":null})");
  EXPECT_EQ(text(object, {"a", "s"}), "x");
  EXPECT_EQ(text(object, {"a", "n"}), "");
  EXPECT_EQ(text(object, {"a", "s", "deeper"}), "");
  EXPECT_EQ(integer(object, {"a", "n"}), 5);
  EXPECT_EQ(integer(object, {"a", "s"}), std::nullopt);
  EXPECT_EQ(integer(object, {"a", "big"}), std::nullopt);
  EXPECT_TRUE(boolean(object, {"a", "b"}, false));
  EXPECT_TRUE(boolean(object, {"a", "s"}, true));
  EXPECT_EQ(array(object, {"a", "l"}).size(), 1u);
  EXPECT_TRUE(array(object, {"a"}).empty());
  EXPECT_EQ(name_of(object), "");
  EXPECT_EQ(label_of(Json(), "x"), "");
  EXPECT_EQ(find(object, {}), &object);
  EXPECT_FALSE(parse_json("{"));
  EXPECT_EQ(to_text(Json("\xff")), "\"\xEF\xBF\xBD\"");
}

TEST(KubeJson, DepthIsBounded) {
  EXPECT_TRUE(parse_json(std::string(256, '[') + std::string(256, ']')));
  EXPECT_FALSE(parse_json(std::string(257, '[') + std::string(257, ']')));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
  EXPECT_TRUE(parse_json("\"" + std::string(1000, '[') + "\\\"\""));
}

TEST(KubePaths, NameCollectionsObjectsAndSubresources) {
  EXPECT_EQ(path_of(kPods, ""), "/api/v1/pods");
  EXPECT_EQ(path_of(kPods, "a", "p"), "/api/v1/namespaces/a/pods/p");
  EXPECT_EQ(path_of(kDeployments, "a", "d", "scale"),
            "/apis/apps/v1/namespaces/a/deployments/d/scale");
  EXPECT_EQ(path_of(kNamespaces, "", "a/b"), "/api/v1/namespaces/a%2Fb");
}

TEST(KubeAccess, ReadsAnUrl) {
  const auto plain = parse_access("http://127.0.0.1:6480", "file");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->endpoint.port(), 6480);
  EXPECT_EQ(plain->prefix, "");
  EXPECT_EQ(plain->token_file, "file");
  EXPECT_EQ(parse_access("http://127.0.0.1:1/t/x/", "")->prefix, "/t/x");
  EXPECT_TRUE(parse_access("http://[::1]:1", "").has_value());
  for (const char* url :
       {"", "127.0.0.1:6480", "ftp://127.0.0.1:6480", "http://127.0.0.1", "http://localhost:80",
        "http://127.0.0.1:0", "http://127.0.0.1:99999", "http://127.0.0.1:80x", "https://",
        "https://k:", "https://a@k", "https://[::1"}) {
    const auto access = parse_access(url, "");
    ASSERT_FALSE(access.has_value()) << url;
    EXPECT_NE(access.error().find("expected http://ip:port"), std::string::npos);
  }
}

TEST(KubeAccess, AnHttpsUrlMayHaveANameAndHasAPort) {
  const auto named = parse_access("https://k.example", "");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->host, "k.example:443");
  EXPECT_EQ(named->endpoint.port(), 443);
  EXPECT_TRUE(named->endpoint.address().is_unspecified());
  EXPECT_NE(named->tls, nullptr);
  const auto six = parse_access("https://[::1]/x", "");
  ASSERT_TRUE(six.has_value());
  EXPECT_EQ(six->endpoint.port(), 443);
  EXPECT_EQ(six->host, "");
  EXPECT_EQ(parse_access("https://10.0.0.1:6443", "")->endpoint.port(), 6443);
}

TEST(BackOff, DoublesToItsMostAndStartsOver) {
  std::mt19937_64 random(1);
  BackOff back_off(20ms, 100ms);
  const Duration wholes[] = {20ms, 40ms, 80ms, 100ms, 100ms};
  for (const Duration whole : wholes) {
    const Duration pause = back_off.next(random);
    EXPECT_GE(pause, whole / 2);
    EXPECT_LE(pause, whole);
  }
  back_off.reset();
  EXPECT_LE(back_off.next(random), 20ms);
}

}  // namespace
}  // namespace pilotlight::kube
