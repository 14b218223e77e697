#include "common/wire/codec.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/wire/utf8.h"
#include "tests/common/wire/samples.h"

namespace pilotlight::wire {
namespace {

std::string name(const Frame& frame) { return std::string(name_of(type_of(frame))); }

Frame sample_frame(FrameType type) {
  for (const Frame& frame : sample_frames()) {
    if (type_of(frame) == type) return frame;
  }
  return Frame();
}

/// Without the fields that may be absent.
Frame without_tail(Frame frame) {
  if (auto* endpoints = std::get_if<Endpoints>(&frame)) endpoints->cause.clear();
  if (auto* ready = std::get_if<Ready>(&frame)) ready->told_us = 0;
  return frame;
}

/// Whether so many bytes of payload are all but such a field.
bool ends_before_the_tail(const Frame& frame, std::size_t length) {
  return encode(without_tail(frame))->size() == kHeaderSize + length;
}

TEST(Codec, EveryFrameComesBackAsItWas) {
  for (const Frame& frame : sample_frames()) {
    const Result<Bytes> bytes = encode(frame);
    ASSERT_TRUE(bytes.has_value()) << name(frame);
    const Result<Frame> back = decode(*bytes);
    ASSERT_TRUE(back.has_value()) << name(frame) << ": " << back.error().message();
    EXPECT_TRUE(*back == frame) << name(frame);
  }
}

TEST(Codec, AFrameCutAnywhereIsTruncated) {
  for (const Frame& frame : sample_frames()) {
    const Bytes bytes = *encode(frame);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const Result<Frame> back = decode(std::span(bytes).first(n));
      ASSERT_TRUE(back.has_error());
      EXPECT_EQ(back.error(), make_error_code(DecodeError::truncated)) << name(frame) << " " << n;
    }
  }
}

TEST(Codec, APayloadThatEndsInsideAFieldIsNamed) {
  for (const Frame& frame : sample_frames()) {
    Bytes bytes = *encode(frame);
    for (std::size_t length = 0; length + kHeaderSize < bytes.size(); ++length) {
      Bytes shorter(bytes.begin(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(kHeaderSize + length));
      shorter[0] = static_cast<std::byte>(length & 0xff);
      shorter[1] = static_cast<std::byte>((length >> 8) & 0xff);
      if (ends_before_the_tail(frame, length)) continue;
      const Result<Frame> back = decode(shorter);
      ASSERT_TRUE(back.has_error()) << name(frame) << " " << length;
    }
  }
}

TEST(Codec, AFieldThatCameLaterMayBeAbsent) {
  for (const FrameType type : {FrameType::endpoints, FrameType::ready}) {
    const Frame known = sample_frame(type);
    const Bytes with = *encode(known);
    const Bytes without = *encode(without_tail(known));
    EXPECT_GT(with.size(), without.size());
    EXPECT_TRUE(*decode(without) == without_tail(known)) << "from one who does not know the field";
    EXPECT_TRUE(
        std::equal(without.begin() + kHeaderSize, without.end(), with.begin() + kHeaderSize))
        << "so that who does not know it reads the rest";
  }
}

TEST(Codec, AnUnknownTailFlagsAndReservedBitsAreIgnored) {
  for (const Frame& frame : sample_frames()) {
    Bytes bytes = *encode(frame);
    const std::size_t length = bytes.size() - kHeaderSize + 3;
    bytes.resize(bytes.size() + 3, std::byte{0x5a});
    bytes[0] = static_cast<std::byte>(length & 0xff);
    bytes[1] = static_cast<std::byte>((length >> 8) & 0xff);
    bytes[5] = std::byte{0xff};
    bytes[7] = std::byte{0x80};
    const Result<Frame> back = decode(bytes);
    ASSERT_TRUE(back.has_value()) << name(frame);
    EXPECT_TRUE(*back == frame) << name(frame);
  }
}

TEST(Codec, UnknownAndReservedTypesAreNotMistakes) {
  for (const int type : {0, 12, 13, 20, 255}) {
    Bytes bytes(kHeaderSize);
    bytes[4] = static_cast<std::byte>(type);
    EXPECT_EQ(decode(bytes).error(), make_error_code(DecodeError::unknown_type)) << type;
  }
}

TEST(Codec, ValuesThatDoNotExistAreRefused) {
  Bytes hello = *encode(Hello());
  hello[kHeaderSize] = std::byte{'G'};
  EXPECT_EQ(decode(hello).error(), make_error_code(DecodeError::bad_magic));

  Bytes role = *encode(Hello());
  role[kHeaderSize + 16] = std::byte{3};
  EXPECT_EQ(decode(role).error(), make_error_code(DecodeError::bad_value));

  Error error;
  error.text = "ab";
  Bytes text = *encode(error);
  text[kHeaderSize + 4] = std::byte{0xff};
  EXPECT_EQ(decode(text).error(), make_error_code(DecodeError::bad_utf8));
}

TEST(Codec, WhatDoesNotFitIsNotEncoded) {
  Error error;
  error.text = std::string(70'000, 'x');
  EXPECT_EQ(encode(error).error(), make_error_code(DecodeError::oversized));
  error.text = std::string(65'500, 'x');
  EXPECT_TRUE(encode(error).has_value());
}

TEST(FrameReader, YieldsFramesWhateverTheCuts) {
  Bytes stream;
  for (const Frame& frame : sample_frames()) {
    const Bytes bytes = *encode(frame);
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  for (const std::size_t step : {1UL, 3UL, 7UL, 64UL, stream.size()}) {
    FrameReader reader;
    std::vector<Frame> got;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      reader.feed(std::span(stream).subspan(at, std::min(step, stream.size() - at)));
      for (auto next = reader.next(); next.has_value() && next->has_value(); next = reader.next()) {
        got.push_back(**next);
      }
    }
    EXPECT_TRUE(got == sample_frames()) << step;
  }
}

TEST(FrameReader, SkipsUnknownTypesAndCountsThem) {
  Bytes stream(kHeaderSize + 5);
  stream[0] = std::byte{5};
  stream[4] = std::byte{200};
  const Bytes ping = *encode(Ping());
  stream.insert(stream.end(), ping.begin(), ping.end());
  FrameReader reader;
  reader.feed(stream);
  const auto next = reader.next();
  ASSERT_TRUE(next.has_value());
  EXPECT_TRUE(next->has_value() && std::holds_alternative<Ping>(**next));
  EXPECT_EQ(reader.skipped(), 1U);
}

TEST(FrameReader, RefusesAHugeLengthBeforeWaitingForItAndStaysInError) {
  Bytes stream(kHeaderSize, std::byte{0xff});
  FrameReader reader;
  reader.feed(stream);
  EXPECT_EQ(reader.next().error(), make_error_code(DecodeError::oversized));
  reader.feed(*encode(Ping()));
  EXPECT_TRUE(reader.next().has_error());
}

TEST(Utf8, KnowsWhatIsWellFormed) {
  EXPECT_TRUE(is_utf8("plain, \xc3\xa4, \xe2\x82\xac, \xf0\x9f\x94\xa5"));
  for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Utf8, APrefixCutsNoCharacterInTwo) {
  EXPECT_EQ(utf8_prefix("plain", 5), "plain");
  EXPECT_EQ(utf8_prefix("plain", 3), "pla");
  EXPECT_EQ(utf8_prefix("\xe2\x82\xac\xe2\x82\xac", 5), "\xe2\x82\xac");
  EXPECT_EQ(utf8_prefix("\xe2\x82\xac", 2), "");
  EXPECT_EQ(utf8_suffix("plain", 5), "plain");
  EXPECT_EQ(utf8_suffix("plain", 3), "ain");
  EXPECT_EQ(utf8_suffix("\xe2\x82\xac\xe2\x82\xac", 5), "\xe2\x82\xac");
  EXPECT_EQ(utf8_suffix("\xe2\x82\xac", 2), "");
  EXPECT_EQ(one_line("a\nb\x1b[2J\x7f", 5), "a b [");
}

}  // namespace
}  // namespace pilotlight::wire
