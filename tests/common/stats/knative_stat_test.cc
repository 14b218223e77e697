#include "common/stats/knative_stat.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace pilotlight {
namespace {

/// What protoc makes of the bytes; "" when protoc is not installed.
std::string decode_raw(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "knative_stat.bin";
  std::ofstream(path, std::ios::binary) << bytes;
  std::FILE* pipe = popen(("protoc --decode_raw < '" + path + "' 2>/dev/null").c_str(), "r");
  std::string text;
  char chunk[512];
  while (pipe != nullptr && std::fgets(chunk, sizeof chunk, pipe) != nullptr) text += chunk;
  if (pipe != nullptr) pclose(pipe);
  std::remove(path.c_str());
  return text;
}

KnativeStat sample() {
  KnativeStat stat;
  stat.pod_name = "iris-00001-abc";
  stat.average_concurrent_requests = 1.5;
  stat.average_proxied_concurrent_requests = 0.5;
  stat.request_count = 10;
  stat.proxied_request_count = 4;
  stat.process_uptime = 12.25;
  stat.timestamp = 300;
  return stat;
}

TEST(KnativeStat, ProtocReadsIt) {
  const std::string text = decode_raw(encode(sample()));
  ASSERT_FALSE(text.empty()) << "protoc is not installed";
  EXPECT_EQ(text,
            "1: \"iris-00001-abc\"\n"
            "2: 0x3ff8000000000000\n"
            "3: 0x3fe0000000000000\n"
            "4: 0x4024000000000000\n"
            "5: 0x4010000000000000\n"
            "6: 0x4028800000000000\n"
            "7: 300\n");
}

TEST(KnativeStat, IsTheBytesOfTheReferenceEncoding) {
  KnativeStat stat;
  stat.pod_name = "ab";
  stat.request_count = 1;
  const std::string expected(
      "\x0a\x02"
      "ab\x21\x00\x00\x00\x00\x00\x00\xf0\x3f",
      13);
  EXPECT_EQ(encode(stat), expected);
}

TEST(KnativeStat, ZerosAreLeftOut) { EXPECT_EQ(encode(KnativeStat()), ""); }

TEST(KnativeStat, FitsIntoWhatTheScraperReads) {
  KnativeStat stat = sample();
  stat.pod_name = std::string(5000, 'x');
  stat.timestamp = -1;
  EXPECT_LE(encode(stat).size(), 336U);
}

}  // namespace
}  // namespace pilotlight
