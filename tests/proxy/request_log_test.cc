#include "proxy/request_log.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/http/head_parser.h"

namespace pilotlight::proxy {
namespace {

using namespace std::chrono_literals;

class RequestLogTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(ends_), 0); }
  void TearDown() override {
    close(ends_[0]);
    close(ends_[1]);
  }

  /// The line that one request and its answer give.
  std::string line(std::string_view pattern, std::string_view head,
                   const RequestLog::Answer& answer) {
    const auto pieces = config::parse_log_template(pattern);
    EXPECT_TRUE(pieces);
    http::RequestHead parsed;
    EXPECT_TRUE(http::parse_request(head, parsed));
    RequestLog::Revision revision;
    revision.name = "iris-00001";
    revision.pod_ip = "10.0.0.7";
    {
      LineSink sink(ends_[1]);
      RequestLog log(*pieces, revision, false, sink);
      log.write(log.note(parsed, "10.0.0.9:4711"), answer);
    }
    std::string text(8192, '\0');
    const ssize_t n = read(ends_[0], text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    return text;
  }

  static RequestLog::Answer answer() {
    RequestLog::Answer made;
    made.status = 201;
    made.body_bytes = 7;
    made.latency = 1500us;
    return made;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(RequestLogTest, TheDefaultIsOneJsonObjectWithKnativesFields) {
  const std::string text =
      line(config::kDefaultLogTemplate,
           "POST /p?q=\"<'&\\ HTTP/1.1\r\nHost: iris\r\nUser-Agent: c\"url, 8\r\n"
           "Referer: http://r/\r\nContent-Length: 3\r\n"
           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
           answer());
  ASSERT_TRUE(text.ends_with("}\n"));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << text;
  const auto& request = json["httpRequest"];
  EXPECT_EQ(request["requestMethod"], "POST");
  EXPECT_EQ(request["requestUrl"], "/p?q=\"<'&\\");
  EXPECT_EQ(request["requestSize"], "3");
  EXPECT_EQ(request["status"], 201);
  EXPECT_EQ(request["responseSize"], "7");
  EXPECT_EQ(request["userAgent"], "c\"url, 8");
  EXPECT_EQ(request["remoteIp"], "10.0.0.9:4711");
  EXPECT_EQ(request["serverIp"], "10.0.0.7");
  EXPECT_EQ(request["referer"], "http://r/");
  EXPECT_EQ(request["latency"], "0.0015s");
  EXPECT_EQ(request["protocol"], "HTTP/1.1");
  EXPECT_EQ(json["traceId"], "0af7651916cd43dd8448eb211c80319c");
}

TEST_F(RequestLogTest, ATemplateOfOnesOwn) {
  RequestLog::Answer unannounced;
  unannounced.status = 502;
  EXPECT_EQ(
      line("{{.Request.Method}} {{.Revision.Name}} {{.Response.Code}} "
           "{{.Response.Size}} {{index .Request.Header \"X-Id\"}}|{{.Request.ContentLength}}\n",
           "PUT / HTTP/1.1\r\nHost: a\r\nx-id: 42\r\nTransfer-Encoding: chunked\r\n\r\n",
           unannounced),
      "PUT iris-00001 502 -1 42|-1\n");
}

TEST(TraceId, IsHexadecimalOrNothing) {
  const std::string id(32, 'a');
  EXPECT_EQ(trace_id("00-" + id + "-b7ad6b7169203331-01", "ff"), id);
  EXPECT_EQ(trace_id("", "463ac35c9f6413ad"), "463ac35c9f6413ad");
  EXPECT_EQ(trace_id("00-" + std::string(32, '"') + "-b7ad6b7169203331-01", ""), "");
  EXPECT_EQ(trace_id("short", "\"},{"), "");
}

TEST(JsEscaped, IsAsGosExceptThatAQuoteStaysJson) {
  EXPECT_EQ(js_escaped("a\"b\\c<d>&='\n"), R"(a\"b\\c\u003Cd\u003E\u0026\u003D\u0027\u000A)");
}

}  // namespace
}  // namespace pilotlight::proxy
