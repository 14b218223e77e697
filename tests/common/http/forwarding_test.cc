#include "common/http/forwarding.h"

#include <string>

#include <gtest/gtest.h>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

std::string flat(const OutgoingHead& out) { return out.rest(0); }

std::string sent_up(const std::string& text, const RequestEdit& edit) {
  RequestHead head;
  EXPECT_TRUE(parse_request(text, head));
  OutgoingHead out;
  out.compose(head, edit);
  return flat(out);
}

std::string sent_down(const std::string& text, const ResponseEdit& edit) {
  ResponseHead head;
  EXPECT_TRUE(parse_response(text, false, head));
  OutgoingHead out;
  out.compose(head, edit);
  return flat(out);
}

RequestEdit to_app() {
  RequestEdit edit;
  edit.peer = "10.0.0.9";
  return edit;
}

TEST(Forwarding, PassesWhatItDoesNotKnowAsItCame) {
  EXPECT_EQ(sent_up("GET /a?b HTTP/1.1\r\nhOST: x\r\nAccept:  */*\r\nX-Odd:\t1 \r\n\r\n", to_app()),
            "GET /a?b HTTP/1.1\r\nhOST: x\r\nAccept:  */*\r\nX-Odd:\t1 \r\n"
            "X-Forwarded-For: 10.0.0.9\r\n\r\n");
}

TEST(Forwarding, HopByHopFieldsEndHere) {
  EXPECT_EQ(
      sent_up("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\n"
              "Keep-Alive: timeout=5\r\nTE: gzip\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\n"
              "X-Kept: 1\r\n\r\n",
              to_app()),
      "GET / HTTP/1.1\r\nHost: x\r\nX-Kept: 1\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n");
}

// As Go's ReverseProxy, and so Knative: whatever else the list says, `trailers` in it goes on.
TEST(Forwarding, OfTeOnlyTrailersGoesOn) {
  struct Row {
    std::string_view fields;
    bool goes_on;
  };
  const Row rows[] = {
      {"TE: trailers\r\n", true},
      {"te: Trailers\r\n", true},
      {"TE: trailers, deflate\r\n", true},
      {"TE: deflate;q=0.5 ,trailers\r\n", true},
      {"TE: gzip\r\nTE: trailers\r\n", true},
      {"TE: trailers\r\nTE: trailers\r\n", true},
      {"Connection: TE\r\nTE: trailers\r\n", true},
      {"TE: trailers\r\nConnection: close, te, X-Mine\r\nX-Mine: 1\r\n", true},
      {"TE:\r\n", false},
      {"TE: gzip, deflate\r\n", false},
      {"TE: trailers;q=0.5\r\n", false},
      {"TE: no-trailers, trailers2\r\n", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.fields);
    const std::string request =
        "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(row.fields) + "X-Kept: 1\r\n\r\n";
    EXPECT_EQ(sent_up(request, to_app()),
              std::string("GET / HTTP/1.1\r\nHost: x\r\nX-Kept: 1\r\n") +
                  (row.goes_on ? "Te: trailers\r\n" : "") + "X-Forwarded-For: 10.0.0.9\r\n\r\n");
  }
}

TEST(Forwarding, ConnectionCannotCutTheFraming) {
  EXPECT_EQ(sent_up("POST / HTTP/1.1\r\nHost: x\r\nConnection: content-length, host\r\n"
                    "Content-Length: 3\r\n\r\n",
                    to_app()),
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n");
}

TEST(Forwarding, ASidecarRestoresTheHostAndTellsTheAppNothingOfUs) {
  EXPECT_EQ(sent_up("GET / HTTP/1.1\r\nHost: 10.1.1.1:8012\r\nK-Original-Host: iris.default\r\n"
                    "K-Proxy-Request: activator\r\nPilotlight-Hop: 77\r\nPilotlight-Other: 1\r\n"
                    "Knative-Serving-Revision: r\r\nKnative-Serving-Namespace: n\r\n"
                    "X-Forwarded-For: 1.2.3.4\r\n\r\n",
                    to_app()),
            "GET / HTTP/1.1\r\nK-Proxy-Request: activator\r\nHost: iris.default\r\n"
            "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.9\r\n\r\n");
}

TEST(Forwarding, AnActivatorMarksTheHopAndKeepsTheFirstOriginalHost) {
  RequestEdit edit;
  edit.peer = "::1";
  edit.next_host = "127.1.2.10:8012";
  edit.hop_epoch = "42";
  EXPECT_EQ(sent_up("GET / HTTP/1.1\r\nHost: iris.default\r\nK-Proxy-Request: liar\r\n\r\n", edit),
            "GET / HTTP/1.1\r\nK-Original-Host: iris.default\r\nHost: 127.1.2.10:8012\r\n"
            "K-Proxy-Request: activator\r\nPilotlight-Hop: 42\r\nX-Forwarded-For: ::1\r\n\r\n");
  EXPECT_EQ(sent_up("GET / HTTP/1.1\r\nHost: iris.default\r\nK-Original-Host: first\r\n\r\n", edit),
            "GET / HTTP/1.1\r\nK-Original-Host: first\r\nHost: 127.1.2.10:8012\r\n"
            "K-Proxy-Request: activator\r\nPilotlight-Hop: 42\r\nX-Forwarded-For: ::1\r\n\r\n");
}

TEST(Forwarding, Http10BecomesHttp11Upstream) {
  EXPECT_EQ(sent_up("GET / HTTP/1.0\r\nAccept: */*\r\n\r\n", to_app()),
            "GET / HTTP/1.1\r\nAccept: */*\r\nHost: localhost\r\n"
            "X-Forwarded-For: 10.0.0.9\r\n\r\n");
}

TEST(Forwarding, UpgradesKeepTheirTwoFields) {
  EXPECT_EQ(
      sent_up("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
              to_app()),
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "X-Forwarded-For: 10.0.0.9\r\n\r\n");
  EXPECT_EQ(
      sent_down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: upgrade\r\n\r\n",
                ResponseEdit()),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

TEST(Forwarding, AnUpgradeGoesOnBesideOtherFieldsThatConnectionNames) {
  EXPECT_EQ(sent_up("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, X-Mine\r\nX-Mine: 1\r\n"
                    "Upgrade: websocket\r\n\r\n",
                    to_app()),
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "X-Forwarded-For: 10.0.0.9\r\n\r\n");
  EXPECT_EQ(sent_down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: upgrade, X-Mine\r\nX-Mine: 1\r\n\r\n",
                      ResponseEdit()),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "\r\n");
}

TEST(Forwarding, ExpectIsAddedOnceOrCut) {
  RequestEdit edit = to_app();
  edit.expect = ExpectEdit::add;
  EXPECT_EQ(
      sent_up("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
              edit),
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n"
      "X-Forwarded-For: 10.0.0.9\r\n\r\n");
  edit.expect = ExpectEdit::cut;
  EXPECT_EQ(
      sent_up("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
              edit),
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n");
}

TEST(Forwarding, AnswersLoseWhatIsOursAndTheHops) {
  ResponseEdit edit;
  edit.close = true;
  EXPECT_EQ(
      sent_down("HTTP/1.0 200 Fine\r\nConnection: keep-alive\r\nPilotlight-Not-Started: full\r\n"
                "Content-Length: 1\r\n\r\n",
                edit),
      "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
}

// Knative's own cases: pkg/queue/forwarded_shim.go and its test.
TEST(Forwarding, SynthesisesForwardedAsKnativeDoes) {
  EXPECT_EQ(forwarded_value("127.0.0.1, ::1", "h", "p"),
            "for=127.0.0.1;host=h;proto=p, for=\"[::1]\"");
  EXPECT_EQ(forwarded_value("127.0.0.1", "h", "p"), "for=127.0.0.1;host=h;proto=p");
  EXPECT_EQ(forwarded_value("127.0.0.1, ::1", "", ""), "for=127.0.0.1, for=\"[::1]\"");
  EXPECT_EQ(forwarded_value("", "h", "p"), "host=h;proto=p");
  EXPECT_EQ(forwarded_value(",,,", "", ""), "for=, for=, for=");
  EXPECT_EQ(forwarded_value("", "", ""), "");
  EXPECT_EQ(
      sent_up("GET / HTTP/1.1\r\nHost: x\r\nForwarded: for=a\r\nX-Forwarded-For: b\r\n\r\n",
              to_app()),
      "GET / HTTP/1.1\r\nHost: x\r\nForwarded: for=a\r\nX-Forwarded-For: b, 10.0.0.9\r\n\r\n");
}

}  // namespace
}  // namespace pilotlight::http
