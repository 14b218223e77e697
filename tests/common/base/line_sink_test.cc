#include "common/base/line_sink.h"

#include <optional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace pilotlight {
namespace {

/// A pipe whose reading end the test holds.
class LineSinkTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(ends_), 0); }
  void TearDown() override {
    close_reader();
    close(ends_[1]);
  }
  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  /// Reads until `bytes` have come.
  std::string read_bytes(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t n = read(ends_[0], text.data() + done, bytes - done);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LineSinkTest, LinesComeInOrder) {
  LineSink sink(ends_[1]);
  EXPECT_TRUE(sink.offer("one"));
  EXPECT_TRUE(sink.offer("two"));
  EXPECT_EQ(read_bytes(8), "one\ntwo\n");
  EXPECT_TRUE(sink.offer(""));
  EXPECT_EQ(read_bytes(1), "\n");
}

TEST_F(LineSinkTest, WhatIsQueuedIsWrittenBeforeItEnds) {
  std::optional<LineSink> sink(ends_[1]);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(sink->offer("a line"));
  sink.reset();
  EXPECT_EQ(read_bytes(7000).size(), 7000U);
}

TEST_F(LineSinkTest, AReaderThatReadsNothingCostsLinesAndNeverTime) {
  std::optional<LineSink> sink(ends_[1]);
  const std::string line(1000, 'x');
  int refused = 0;
  for (int i = 0; i < 3000; ++i) refused += sink->offer(line) ? 0 : 1;
  // What fits: the bound twice, waiting and being written, and the pipe's own 64 KiB.
  EXPECT_GE(refused, 3000 - 2200);
  EXPECT_EQ(sink->dropped(), static_cast<std::uint64_t>(refused));
  sink.reset();  // does not hang: that is the test
}

TEST_F(LineSinkTest, AReaderThatIsGoneDoesNotEndTheProcess) {
  LineSink sink(ends_[1]);
  close_reader();
  EXPECT_TRUE(sink.offer("to nobody"));
}

}  // namespace
}  // namespace pilotlight
