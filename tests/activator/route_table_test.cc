#include "activator/route_table.h"

#include <gtest/gtest.h>

namespace pilotlight::activator {
namespace {

RevisionPtr revision(std::uint32_t id, std::string name_space, std::string name,
                     std::string service) {
  auto info = std::make_shared<RevisionInfo>();
  info->id = id;
  info->name_space = std::move(name_space);
  info->name = std::move(name);
  info->service = std::move(service);
  return info;
}

class RouteTableTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::uint32_t found(const RouteQuery& query) const {
    const Route* route = table_.lookup(query);
    return route == nullptr ? 0 : route->pick(7)->id;
  }
  [[nodiscard]] std::uint32_t by_host(std::string_view host) const {
    RouteQuery query;
    query.host = host;
    return found(query);
  }

  RouteTable table_{{revision(1, "default", "iris-00001", "iris"),
                     revision(2, "default", "echo", "echo"),
                     revision(3, "other", "iris-00001", "iris")}};
};

TEST_F(RouteTableTest, TheKeysAreTriedInOrder) {
  RouteQuery query;
  query.socket = "echo";
  query.revision = "iris-00001";
  query.name_space = "other";
  query.host = "iris.default.localhost";
  EXPECT_EQ(found(query), 2u) << "the socket comes first";
  query.socket = "gateway";
  EXPECT_EQ(found(query), 3u) << "then the headers";
  query.name_space = "";
  EXPECT_EQ(found(query), 1u) << "one header alone is none; then the host";
}

TEST_F(RouteTableTest, ASocketNamesAServiceWithOrWithoutItsNamespace) {
  RouteQuery query;
  query.socket = "iris";
  EXPECT_EQ(found(query), 1u);
  query.socket = "other/iris";
  EXPECT_EQ(found(query), 3u);
  query.socket = "nobody";
  EXPECT_EQ(found(query), 0u);
}

TEST_F(RouteTableTest, HostsMatchWithoutPortCaseAndFinalDot) {
  EXPECT_EQ(by_host("iris.default.localhost"), 1u);
  EXPECT_EQ(by_host("iris.default.localhost:8080"), 1u);
  EXPECT_EQ(by_host("IRIS.Default.example.com."), 1u);
  EXPECT_EQ(by_host("iris.other.svc.cluster.local:80"), 3u) << "a service's own cluster name";
  EXPECT_EQ(by_host("iris-00001.other.svc"), 3u);
  EXPECT_EQ(by_host("iris-00001.other.svc.cluster.local"), 3u);
}

TEST_F(RouteTableTest, WhatIsNotAKeyMatchesNothing) {
  EXPECT_EQ(by_host(""), 0u);
  EXPECT_EQ(by_host("iris"), 0u);
  EXPECT_EQ(by_host("iris.default"), 0u) << "a host needs a domain";
  EXPECT_EQ(by_host("iris-00001.default.localhost"), 0u) << "revisions are reached by .svc only";
  EXPECT_EQ(by_host("127.0.0.1:8080"), 0u);
  EXPECT_EQ(by_host("[::1]:8080"), 0u);
  EXPECT_EQ(by_host("..."), 0u);
  EXPECT_EQ(by_host(std::string(600, 'a') + ".default.x"), 0u);
}

TEST_F(RouteTableTest, TheNewestRevisionOfAServiceTakesItsTraffic) {
  const RouteTable table(
      {revision(1, "default", "iris-00002", "iris"), revision(2, "default", "iris-00001", "iris")});
  RouteQuery query;
  query.host = "iris.default.localhost";
  EXPECT_EQ(table.lookup(query)->pick(0)->id, 1u);
}

TEST_F(RouteTableTest, WeightsDivideTheTickets) {
  Route route;
  route.rows.resize(2);
  route.rows[0].revision = revision(1, "n", "a", "s");
  route.rows[0].weight = 3;
  route.rows[1].revision = revision(2, "n", "b", "s");
  route.rows[1].weight = 1;
  int first = 0;
  for (std::uint64_t ticket = 0; ticket < 100; ++ticket) first += route.pick(ticket)->id == 1u;
  EXPECT_EQ(first, 75);
}

TEST_F(RouteTableTest, AMissSaysWhatItLookedForAndWhatWouldMatch) {
  RouteQuery query;
  query.socket = "gateway";
  query.host = "irsi.default.localhost:8080";
  EXPECT_EQ(table_.explain(query),
            "no service or revision for this request\n"
            "looked for:\n"
            "  host \"irsi.default.localhost\": service \"irsi\" in namespace \"default\"\n"
            "would match:\n"
            "  echo.default.<domain>\n"
            "  iris.default.<domain>\n"
            "  iris.other.<domain>\n");
  query.host = "a\nb";
  query.revision = "r";
  EXPECT_EQ(RouteTable().explain(query),
            "no service or revision for this request\n"
            "looked for:\n"
            "  headers Knative-Serving-Revision: \"r\", Knative-Serving-Namespace: \"\" (needs "
            "both)\n"
            "  host \"a?b\", which is not <service>.<namespace>.<domain>\n"
            "would match: nothing, no service is known\n");
}

TEST_F(RouteTableTest, TheListOfAMissIsBounded) {
  std::vector<RevisionPtr> many;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::string name = "s" + std::to_string(i);
    many.push_back(revision(i, "default", name, name));
  }
  const std::string text = RouteTable(many).explain({});
  EXPECT_NE(text.find("and 90 more"), std::string::npos);
  EXPECT_LT(text.size(), 1000u);
}

TEST(HomeShardTest, IsStableAndInRange) {
  EXPECT_EQ(home_shard("default", "iris-00001", 1), 0u);
  EXPECT_LT(home_shard("default", "iris-00001", 3), 3u);
  EXPECT_EQ(home_shard("default", "a", 4), home_shard("default", "a", 4));
}

}  // namespace
}  // namespace pilotlight::activator
