#include "config/scalars.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;

TEST(Scalars, DurationsAreGos) {
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("60s"), 60s);
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration(".5s"), 500ms);
  EXPECT_EQ(parse_duration("1.1s"), 1100ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("3us"), 3us);
  EXPECT_EQ(parse_duration("7ns"), 7ns);
  EXPECT_EQ(parse_duration("-2s"), -2s);
  EXPECT_EQ(parse_duration("+2s"), 2s);
}

TEST(Scalars, WhatIsNoDurationIsNone) {
  for (const char* text : {"", "-", "5", "s", ".s", "5 s", " 5s", "5s ", "1d", "soon", "5sx", "1h1",
                           "999999999999999999h", "99999999999999999999s", "--1s", "1e3s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Scalars, NumbersStandAlone) {
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("+12"), 12);
  for (const char* text : {"", "+", "+-1", " 1", "1 ", "1.0", "0x1", "99999999999999999999"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
  EXPECT_EQ(parse_number("0.5"), 0.5);
  EXPECT_EQ(parse_number("1e2"), 100);
  for (const char* text : {"", "inf", "nan", "1,5", "1 ", "0x1p3"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(Scalars, PortsHaveBounds) {
  EXPECT_EQ(parse_port("1"), 1);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "0", "65536", "-1", "+1", "http"}) {
    EXPECT_FALSE(parse_port(text)) << text;
  }
}

TEST(Scalars, BooleansAreGos) {
  EXPECT_EQ(parse_boolean("True"), true);
  EXPECT_EQ(parse_boolean("0"), false);
  EXPECT_FALSE(parse_boolean("yes"));
}

}  // namespace
}  // namespace pilotlight::config
