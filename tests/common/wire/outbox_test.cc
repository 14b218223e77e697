#include "common/wire/outbox.h"

#include <gtest/gtest.h>

#include "tests/common/wire/samples.h"

namespace pilotlight::wire {
namespace {

std::vector<Frame> read_all(const Bytes& bytes) {
  FrameReader reader;
  reader.feed(bytes);
  std::vector<Frame> frames;
  for (auto next = reader.next(); next.has_value() && next->has_value(); next = reader.next()) {
    frames.push_back(**next);
  }
  return frames;
}

Stats stats_of(const std::string& revision, std::uint64_t arrivals) {
  Stats stats;
  stats.revision.revision = revision;
  stats.load.arrivals = arrivals;
  return stats;
}

Frame ping(std::uint64_t id) {
  Ping frame;
  frame.id = id;
  return frame;
}

TEST(Outbox, UrgentFramesGoFirstInOrderThenTheNewestOfEachRevision) {
  Outbox outbox;
  outbox.put(RevisionKey{"", "b"}, stats_of("b", 1));
  outbox.put(RevisionKey{"", "a"}, stats_of("a", 1));
  outbox.put(RevisionKey{"", "b"}, stats_of("b", 2));
  ASSERT_TRUE(outbox.push(ping(1)));
  ASSERT_TRUE(outbox.push(ping(2)));
  const std::vector<Frame> expected = {ping(1), ping(2), stats_of("b", 2), stats_of("a", 1)};
  EXPECT_TRUE(read_all(outbox.take()) == expected);
  EXPECT_TRUE(outbox.empty());
  EXPECT_TRUE(outbox.take().empty());
}

TEST(Outbox, RefusesBeyondItsLimitAndForgetsUrgentOnesOnly) {
  Outbox outbox;
  for (std::size_t i = 0; i < Outbox::kUrgentLimit; ++i) ASSERT_TRUE(outbox.push(ping(i)));
  EXPECT_FALSE(outbox.push(ping(0)));
  outbox.put(RevisionKey(), stats_of("", 1));
  outbox.drop_urgent();
  EXPECT_EQ(read_all(outbox.take()).size(), 1U);
}

TEST(Outbox, TakesInPiecesSoThatUrgentFramesOvertake) {
  Outbox outbox;
  for (int i = 0; i < 1000; ++i) {
    const std::string revision = "r" + std::to_string(i);
    outbox.put(RevisionKey{"", revision}, stats_of(revision, 1));
  }
  EXPECT_LT(outbox.take().size(), 2 * kMaxPayload);
  EXPECT_FALSE(outbox.empty());
  ASSERT_TRUE(outbox.push(ping(1)));
  EXPECT_TRUE(read_all(outbox.take()).front() == ping(1));
}

TEST(Outbox, AReplayGoesBetweenUrgentAndReplaceableFrames) {
  Outbox outbox;
  outbox.put(RevisionKey{"", "a"}, stats_of("a", 1));
  History history;
  history.until = stats_of("a", 0);
  outbox.replay({history, HistoryEnd()});
  ASSERT_TRUE(outbox.push(ping(1)));
  EXPECT_TRUE(outbox.replaying());
  const std::vector<Frame> expected = {ping(1), history, HistoryEnd(), stats_of("a", 1)};
  EXPECT_TRUE(read_all(outbox.take()) == expected);
  EXPECT_FALSE(outbox.replaying());
  outbox.replay({history});
  outbox.drop_replay();
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, FramesOfDifferentTypesDoNotReplaceEachOther) {
  Outbox outbox;
  Endpoints endpoints;
  endpoints.generation = 1;
  Checkpoint checkpoint;
  outbox.put(RevisionKey(), checkpoint);
  outbox.put(RevisionKey(), endpoints);
  checkpoint.max_panic = 3;
  outbox.put(RevisionKey(), checkpoint);
  const std::vector<Frame> expected = {checkpoint, endpoints};
  EXPECT_TRUE(read_all(outbox.take()) == expected);
}

TEST(Outbox, DropsAFrameThatCannotBeEncodedAndGoesOn) {
  Outbox outbox;
  Error error;
  error.text = std::string(70'000, 'x');
  ASSERT_TRUE(outbox.push(error));
  ASSERT_TRUE(outbox.push(ping(1)));
  EXPECT_EQ(read_all(outbox.take()).size(), 1U);
}

}  // namespace
}  // namespace pilotlight::wire
