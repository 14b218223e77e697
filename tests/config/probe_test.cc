#include "config/probe.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

Probe one(std::string_view json) {
  const auto probes = parse_probes(json, false, "P");
  EXPECT_TRUE(probes) << probes.error().front();
  if (!probes || probes->size() != 1) return Probe();
  return probes->front();
}

std::string problem(std::string_view json, bool array = false) {
  const auto probes = parse_probes(json, array, "P");
  if (probes) return "no problem";
  EXPECT_EQ(probes.error().size(), 1U) << probes.error().back();
  return probes.error().front();
}

TEST(Probe, NoTextIsNoProbe) {
  const auto probes = parse_probes("", true, "P");
  ASSERT_TRUE(probes);
  EXPECT_TRUE(probes->empty());
}

TEST(Probe, TcpWithoutPeriodIsAggressive) {
  const Probe probe = one(
      R"({"tcpSocket":{"port":8080,"host":"127.0.0.1"},"successThreshold":1,"timeoutSeconds":7})");
  EXPECT_EQ(probe.kind, Probe::Kind::tcp);
  EXPECT_EQ(probe.host, "127.0.0.1");
  EXPECT_EQ(probe.port, 8080);
  EXPECT_EQ(probe.period, 0s);
  EXPECT_EQ(probe.timeout, 100ms) << "the aggressive mode has its own";
}

TEST(Probe, HttpHasPathQueryAndHeaders) {
  const Probe probe = one(
      R"({"httpGet":{"path":"health?deep=1","port":"8081","host":"::1","scheme":"HTTP",
          "httpHeaders":[{"name":"X-Who","value":"me"}]},
          "periodSeconds":3,"timeoutSeconds":2,"successThreshold":4,"failureThreshold":9})");
  EXPECT_EQ(probe.kind, Probe::Kind::http);
  EXPECT_EQ(probe.path, "/health?deep=1");
  EXPECT_EQ(probe.port, 8081);
  EXPECT_EQ(probe.host, "::1");
  ASSERT_EQ(probe.headers.size(), 1U);
  EXPECT_EQ(probe.headers[0], (std::pair<std::string, std::string>("X-Who", "me")));
  EXPECT_EQ(probe.period, 3s);
  EXPECT_EQ(probe.timeout, 2s);
  EXPECT_EQ(probe.success_threshold, 4U);
}

TEST(Probe, HttpIsPlainUnlessTheSchemeSaysOtherwise) {
  EXPECT_FALSE(one(R"({"httpGet":{"path":"/"}})").https);
  EXPECT_FALSE(one(R"({"httpGet":{"scheme":"HTTP"}})").https);
  const Probe probe = one(R"({"httpGet":{"scheme":"HTTPS"}})");
  EXPECT_EQ(probe.kind, Probe::Kind::http);
  EXPECT_TRUE(probe.https);
}

TEST(Probe, AnUnsetPortIsTheApps) {
  EXPECT_EQ(one(R"({"httpGet":{"path":"/"}})").port, 0);
  EXPECT_EQ(one(R"({"tcpSocket":{"port":0}})").port, 0);
}

TEST(Probe, ManyContainersHaveAList) {
  const auto probes =
      parse_probes(R"([{"tcpSocket":{"port":1}},{"httpGet":{"port":2}}])", true, "P");
  ASSERT_TRUE(probes);
  ASSERT_EQ(probes->size(), 2U);
  EXPECT_EQ((*probes)[1].kind, Probe::Kind::http);
}

TEST(Probe, WhatCannotBeRunIsNamed) {
  EXPECT_EQ(problem("{"), "P: got \"{\", expected JSON");
  EXPECT_EQ(problem("[]"), "P: got an empty list, expected an object");
  EXPECT_EQ(problem("{}", true),
            "P: got \"{}\", expected a list, as ENABLE_MULTI_CONTAINER_PROBES says");
  EXPECT_EQ(problem("{}"), "P: got no handler, expected one of tcpSocket and httpGet");
  EXPECT_EQ(problem(R"({"exec":{"command":["true"]}})"),
            "P: got the handler exec, expected tcpSocket or httpGet");
  EXPECT_EQ(problem(R"([{"grpc":{"port":1}}])", true),
            "P[0]: got the handler grpc, expected tcpSocket or httpGet");
  EXPECT_EQ(problem(R"({"httpGet":{"scheme":"FTP"}})"),
            "P.httpGet.scheme: got \"FTP\", expected HTTP or HTTPS");
  EXPECT_EQ(problem(R"({"httpGet":{"host":"example.com"}})"),
            "P.httpGet.host: got \"example.com\", expected an IP address");
  EXPECT_EQ(problem(R"({"tcpSocket":{"port":65536}})"),
            "P.tcpSocket.port: got 65536, expected a port in [1, 65535]");
  EXPECT_EQ(problem(R"({"tcpSocket":{"port":"web"}})"),
            "P.tcpSocket.port: got \"web\", expected a port in [1, 65535]");
  EXPECT_EQ(problem(R"({"tcpSocket":{},"periodSeconds":-1})"),
            "P.periodSeconds: got -1, expected an integer in [0, 3600]");
  EXPECT_EQ(problem(R"({"httpGet":{"path":"/a b"}})"),
            "P.httpGet.path: got \"/a b\", expected a path without white space");
  EXPECT_EQ(problem(R"({"httpGet":{"httpHeaders":[{"name":"A:B","value":""}]}})"),
            "P.httpGet.httpHeaders: got \"A:B\", expected the name of a header");
  EXPECT_EQ(problem(R"({"httpGet":{"httpHeaders":[{"name":"A","value":"x\r\nB: y"}]}})"),
            "P.httpGet.httpHeaders: got \"x\\x0d\\nB: y\", expected a value on one line");
  EXPECT_EQ(problem(R"({"tcpSocket":7})"), "P.tcpSocket: got 7, expected an object");
}

}  // namespace
}  // namespace pilotlight::config
