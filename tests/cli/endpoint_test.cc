#include "cli/endpoint.h"

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

TEST(ParseEndpoint, AddressesAndPorts) {
  const auto v4 = parse_endpoint("127.0.0.1:8080");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->address().to_string(), "127.0.0.1");
  EXPECT_EQ(v4->port(), 8080);
  EXPECT_EQ(parse_endpoint("localhost:0")->address().to_string(), "127.0.0.1");
  EXPECT_EQ(parse_endpoint(":8080")->address().to_string(), "0.0.0.0");
  const auto v6 = parse_endpoint("[::1]:8080");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->address().is_v6());
}

TEST(ParseEndpoint, WhatIsNotOneIsNothing) {
  for (const char* text : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
                           "127.0.0.1:-1", "example.com:80", "::1:80", "127.0.0.1:80 "}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

}  // namespace
}  // namespace pilotlight::cli
