#include "common/http/local_reply.h"

#include <gtest/gtest.h>

namespace pilotlight::http {
namespace {

TEST(LocalReply, SaysKnativesTexts) {
  EXPECT_EQ(local_reply(FlowError::queue_full).body, "pending request queue full\n");
  EXPECT_EQ(local_reply(FlowError::queue_full).status, 503u);
  EXPECT_EQ(local_reply(FlowError::deadline_exceeded).body, "request timeout");
  EXPECT_EQ(local_reply(FlowError::deadline_exceeded).status, 504u);
  EXPECT_EQ(local_reply(FlowError::draining).status, 503u);
  EXPECT_EQ(local_reply(FlowError::bad_message).status, 400u);
  EXPECT_EQ(local_reply(FlowError::upstream_refused, "dial 127.0.0.1:80: refused").body,
            "dial 127.0.0.1:80: refused\n");
}

TEST(LocalReply, ItsTextsAreMarkedAsGosErrorsAre) {
  for (const FlowError error : {FlowError::queue_full, FlowError::upstream_refused}) {
    const LocalReply reply = local_reply(error);
    EXPECT_EQ(reply.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(reply.extra_lines, "X-Content-Type-Options: nosniff\r\n");
  }
}

TEST(LocalReply, SerializesForTheConnectionItGoesTo) {
  const LocalReply reply = problem(503, "a \"b\"", "c\nd", 7);
  EXPECT_EQ(reply.serialize(true, true, false),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
            "Content-Length: 53\r\nRetry-After: 7\r\nConnection: close\r\n\r\n"
            "{\"status\":503,\"title\":\"a \\\"b\\\"\",\"detail\":\"c\\u000ad\"}\n");
  EXPECT_EQ(
      reply.serialize(false, false, true).substr(reply.serialize(false, false, true).size() - 26),
      "Connection: keep-alive\r\n\r\n");
}

}  // namespace
}  // namespace pilotlight::http
