#include "common/http/head_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace pilotlight::http {
namespace {

RequestHead parsed(std::string_view text) {
  RequestHead head;
  const auto used = parse_request(text, head);
  EXPECT_TRUE(used) << text;
  EXPECT_GT(used ? *used : 0, 0u) << text;
  return head;
}

ErrorCode refusal(std::string_view text) {
  RequestHead head;
  const auto used = parse_request(text, head);
  return used ? ErrorCode() : used.error();
}

TEST(HeadParser, FindsWhatAHopNeedsWhereItStands) {
  const std::string text =
      "POST /v2/infer?x=1 HTTP/1.1\r\nHost: iris.default\r\nContent-Length: 4\r\n"
      "K-Proxy-Request:  activator \r\nX-Other: 1\r\n\r\nbody";
  const RequestHead head = parsed(text);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v2/infer?x=1");
  EXPECT_EQ(head.framing, Framing::length);
  EXPECT_EQ(head.content_length, 4u);
  EXPECT_EQ(head.value(FieldKind::host), "iris.default");
  const Field* proxied = head.find(FieldKind::k_proxy_request);
  ASSERT_NE(proxied, nullptr);
  EXPECT_EQ(proxied->value, "activator");
  EXPECT_EQ(text.substr(proxied->begin, proxied->end - proxied->begin),
            "K-Proxy-Request:  activator \r\n");
  EXPECT_EQ(head.text.size(), text.size() - 4);
  EXPECT_EQ(head.text.data(), text.data()) << "views must point into the bytes that came";
}

TEST(HeadParser, AnEveryPrefixOfAHeadIsIncompleteNeverWrong) {
  const std::string text = "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n";
  RequestHead head;
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto used = parse_request(std::string_view(text).substr(0, n), head);
    ASSERT_TRUE(used) << n;
    EXPECT_EQ(*used, 0u) << n;
  }
}

TEST(HeadParser, SkipsEmptyLinesBeforeARequest) {
  RequestHead head;
  const auto used = parse_request("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", head);
  ASSERT_TRUE(used);
  EXPECT_EQ(*used, 31u);
  EXPECT_EQ(head.text.substr(0, 3), "GET");
}

TEST(HeadParser, RefusesWhatTwoHopsCouldFrameDifferently) {
  const ErrorCode bad = FlowError::bad_message;
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), bad) << "no Host";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), bad) << "two Hosts";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"), bad);
  EXPECT_EQ(
      refusal(
          "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      bad);
  EXPECT_EQ(
      refusal(
          "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
      bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n"),
            bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), bad) << "space before the colon";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"), bad) << "obs-fold";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nExpect:\r\n 100-continue\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n c\r\n\r\n"), bad)
      << "fold of an empty value";
  EXPECT_EQ(refusal("GET / HTTP/1.1\nHost: a\n\n\r\n\r\n"), bad) << "bare LF";
  EXPECT_EQ(refusal("GET /\r\nHost: a\r\n\r\n"), bad) << "HTTP/0.9";
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), bad);
}

TEST(HeadParser, RefusesWhatTwoHopsCouldAddressDifferently) {
  const ErrorCode bad = FlowError::bad_message;
  for (const char* host : {"a b", "a, b", "a/b", "b@a", "a#b", "a\\b", "\xe9"}) {
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), bad) << host;
  }
  for (const char* host : {"", "a", "a:80", "[::1]:80", "a-b.c_d~e", "%41"}) {
    EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), ErrorCode())
        << host;
  }
  EXPECT_EQ(refusal("GET http://a/ HTTP/1.1\r\nHost: A\r\n\r\n"), ErrorCode());
  EXPECT_EQ(refusal("GET HTTPS://a:1?x HTTP/1.1\r\nHost: a:1\r\n\r\n"), ErrorCode());
  EXPECT_EQ(refusal("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET http:///x HTTP/1.1\r\nHost:\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET x HTTP/1.1\r\nHost: a\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), bad);
  EXPECT_EQ(refusal("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), ErrorCode());
  EXPECT_EQ(refusal("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), bad);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"), bad);
}

TEST(HeadParser, HttpOverHttpIsNoUpgrade) {
  const auto upgrades = [](std::string_view to) {
    return parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " +
                  std::string(to) + "\r\n\r\n")
        .upgrade;
  };
  EXPECT_TRUE(upgrades("websocket"));
  EXPECT_FALSE(upgrades("h2c"));
  EXPECT_FALSE(upgrades("websocket, H2C"));
  EXPECT_FALSE(upgrades("HTTP/2.0"));
}

TEST(HeadParser, AHeadBeyondTheLimitIsTooLargeNotEndless) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  text.append(70'000, 'x');
  EXPECT_EQ(refusal(std::string_view(text).substr(0, 65'536)),
            make_error_code(FlowError::head_too_large));
}

TEST(HeadParser, WhatWouldCostTheSquareOfItsSizeIsRefused) {
  std::string fields = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 300; ++i) fields += "Upgrade: a\r\n";
  EXPECT_EQ(refusal(fields + "\r\n"), make_error_code(FlowError::head_too_large));
  std::string names = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x";
  for (int i = 0; i < 100; ++i) names += ",x" + std::to_string(i);
  EXPECT_EQ(refusal(names + "\r\n\r\n"), make_error_code(FlowError::bad_message));
}

TEST(HeadParser, ConnectionDecidesKeepAliveAndUpgrade) {
  EXPECT_TRUE(parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  const RequestHead ws = parsed(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(ws.upgrade);
  EXPECT_FALSE(ws.connection_names);
  EXPECT_TRUE(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-secret\r\n\r\n").connection_names);
}

TEST(HeadParser, AResponseEndsAsItsStatusAndMethodSay) {
  ResponseHead head;
  const auto parse = [&head](std::string_view text, bool to_head) {
    const auto used = parse_response(text, to_head, head);
    ASSERT_TRUE(used && *used == text.size()) << text;
  };
  parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false);
  EXPECT_EQ(head.framing, Framing::length);
  parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true);
  EXPECT_EQ(head.framing, Framing::none);
  parse("HTTP/1.1 204 No Content\r\n\r\n", false);
  EXPECT_EQ(head.framing, Framing::none);
  parse("HTTP/1.1 200 OK\r\n\r\n", false);
  EXPECT_EQ(head.framing, Framing::until_close);
  EXPECT_FALSE(head.keep_alive);
  parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=7, max=10\r\n\r\n", false);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.keep_alive_seconds, 7u);
}

}  // namespace
}  // namespace pilotlight::http
