#include "common/http/body.h"

#include <string>

#include <gtest/gtest.h>

namespace pilotlight::http {
namespace {

Head chunked() {
  Head head;
  head.framing = Framing::chunked;
  return head;
}

Head of_length(std::uint64_t length) {
  Head head;
  head.framing = Framing::length;
  head.content_length = length;
  return head;
}

TEST(BodyScanner, TakesExactlyTheLength) {
  BodyScanner body(of_length(5));
  EXPECT_EQ(*body.scan("abc"), 3u);
  EXPECT_FALSE(body.done());
  EXPECT_EQ(*body.scan("deNEXT"), 2u);
  EXPECT_TRUE(body.done());
  EXPECT_EQ(*body.scan("NEXT"), 0u);
  EXPECT_TRUE(BodyScanner(of_length(0)).done());
}

TEST(BodyScanner, FindsTheEndOfChunksWhereverThePiecesBreak) {
  const std::string message =
      "5;ext=\"1\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n";
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    BodyScanner body(chunked());
    EXPECT_EQ(*body.scan(message.substr(0, cut)), cut);
    EXPECT_EQ(body.done(), cut == message.size()) << cut;
    EXPECT_EQ(*body.scan(message.substr(cut) + "GET"), message.size() - cut);
    EXPECT_TRUE(body.done());
  }
}

TEST(BodyScanner, GivesThePayloadWithoutItsFraming) {
  BodyScanner body(chunked());
  std::string_view rest = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  std::string payload;
  while (!body.done()) {
    std::string_view run;
    const auto taken = body.scan_payload(rest, run);
    ASSERT_TRUE(taken);
    payload += run;
    rest.remove_prefix(*taken);
  }
  EXPECT_EQ(payload, "abcde");
  EXPECT_EQ(body.payload(), 5u);
  EXPECT_TRUE(rest.empty());
}

TEST(BodyScanner, CountsThePayloadOfWhatAnnouncedNoLength) {
  BodyScanner chunks(chunked());
  ASSERT_TRUE(chunks.scan("3;x=1\r\nabc\r\n"));
  ASSERT_TRUE(chunks.scan("2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"));
  EXPECT_EQ(chunks.payload(), 5u);
  Head endless;
  endless.framing = Framing::until_close;
  BodyScanner rest(endless);
  ASSERT_TRUE(rest.scan("abc"));
  ASSERT_TRUE(rest.scan("defg"));
  EXPECT_EQ(rest.payload(), 7u);
}

TEST(BodyScanner, RefusesWhatIsNotAChunk) {
  const char* const bad[] = {"\r\n",
                             "g\r\n",
                             "-1\r\n",
                             " 1\r\na\r\n",
                             "1\na\r\n",
                             "1\r\nab\r\n",
                             "1 \r\na",
                             "0x1\r\na",
                             "fffffffffffffffff\r\n",
                             "1;x\n",
                             "0\r\nX: 1\n\r\n",
                             "0\r\n\n",
                             "1\r\na\n",
                             "1\r\r\n",
                             "1;\x01\r\n",
                             "1;\x7f\r\n",
                             "00000000000000001\r\n"};
  for (const char* text : bad) {
    BodyScanner body(chunked());
    EXPECT_FALSE(body.scan(text)) << text;
  }
}

TEST(BodyScanner, RefusesTrailersThatSomebodyCouldReadDifferently) {
  const char* const bad[] = {"Content-Length: 5\r\n",
                             "transfer-encoding: chunked\r\n",
                             "HOST: b\r\n",
                             "X : y\r\n",
                             ": y\r\n",
                             "GET / HTTP/1.1\r\n",
                             "X: y\r\n z\r\n",
                             "X\r\n",
                             "X: \x01\r\n"};
  for (const char* trailer : bad) {
    BodyScanner body(chunked());
    EXPECT_FALSE(body.scan("0\r\n" + std::string(trailer) + "\r\n")) << trailer;
  }
  for (const char* trailer : {"Content-Length-2: 5\r\n", "X-Host: b\r\nHosts: c\r\n", "X:\r\n"}) {
    BodyScanner body(chunked());
    EXPECT_TRUE(body.scan("0\r\n" + std::string(trailer) + "\r\n")) << trailer;
    EXPECT_TRUE(body.done()) << trailer;
  }
}

TEST(BodyScanner, BoundsWhatIsNeitherPayloadNorSize) {
  BodyScanner body(chunked());
  std::string text = "1;";
  text.append(20'000, 'x');
  EXPECT_FALSE(body.scan(text));
}

}  // namespace
}  // namespace pilotlight::http
