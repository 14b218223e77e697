#include "bench/message_reader.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pilotlight::bench {
namespace {

constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
constexpr std::string_view kLength = "HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nfull";

/// Feeds pieces of this size; returns how many bytes the reader took.
std::size_t feed(MessageReader& reader, std::string_view text, std::size_t piece) {
  std::size_t taken = 0;
  while (taken < text.size() && !reader.complete() && !reader.failed()) {
    taken += reader.feed(text.substr(taken, piece));
  }
  return taken;
}

TEST(MessageReader, FindsTheSameEndHoweverTheBytesCome) {
  for (std::size_t piece = 1; piece <= kChunked.size(); ++piece) {
    MessageReader reader(MessageReader::Kind::answer);
    const std::string text = std::string(kChunked) + std::string(kLength);
    ASSERT_EQ(feed(reader, text, piece), kChunked.size()) << "in pieces of " << piece;
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.body_bytes(), 13U);
    EXPECT_EQ(reader.status(), 200);

    reader.next();
    EXPECT_FALSE(reader.begun());
    EXPECT_EQ(feed(reader, std::string_view(text).substr(kChunked.size()), piece), kLength.size());
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.body_bytes(), 4U);
    EXPECT_EQ(reader.status(), 503);
  }
}

TEST(MessageReader, ReadsARequestWithoutABody) {
  MessageReader reader(MessageReader::Kind::request);
  const std::string_view text = "GET /bytes/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(feed(reader, text, text.size()), text.size());
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.path(), "/bytes/7");
  EXPECT_TRUE(reader.closes());
}

TEST(MessageReader, AnAnswerOfUnknownLengthEndsWithItsStream) {
  MessageReader reader(MessageReader::Kind::answer);
  feed(reader, "HTTP/1.1 200 OK\r\n\r\nabc", 64);
  EXPECT_FALSE(reader.complete());
  reader.end_of_stream();
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.body_bytes(), 3U);
}

TEST(MessageReader, AnAnswerCutShortFails) {
  MessageReader reader(MessageReader::Kind::answer);
  feed(reader, kLength.substr(0, kLength.size() - 1), 64);
  reader.end_of_stream();
  EXPECT_TRUE(reader.failed());
}

TEST(MessageReader, AnInterimAnswerIsNotTheAnswer) {
  MessageReader reader(MessageReader::Kind::answer);
  const std::string text = "HTTP/1.1 100 Continue\r\n\r\n" + std::string(kLength);
  EXPECT_EQ(feed(reader, text, text.size()), text.size());
  EXPECT_EQ(reader.status(), 503);
}

TEST(MessageReader, RefusesWhatIsNoNumber) {
  for (const std::string_view text :
       {"HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    MessageReader reader(MessageReader::Kind::answer);
    feed(reader, text, text.size());
    EXPECT_TRUE(reader.failed()) << text;
  }
}

}  // namespace
}  // namespace pilotlight::bench
