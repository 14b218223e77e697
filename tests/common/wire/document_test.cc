// The examples in docs/wire-protocol.md are frames: each hex block says which, and decodes to it.

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "common/wire/codec.h"

namespace pilotlight::wire {
namespace {

/// "HELLO" -> its bytes, from blocks that begin with "```hex HELLO".
std::map<std::string, Bytes> examples() {
  std::map<std::string, Bytes> found;
  std::ifstream file(PILOTLIGHT_WIRE_DOCUMENT);
  const std::string mark = "```hex ";
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(mark, 0) != 0) continue;
    Bytes& bytes = found[line.substr(mark.size())];
    while (std::getline(file, line) && line != "```") {
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        bytes.push_back(static_cast<std::byte>(std::stoul(word, nullptr, 16)));
      }
    }
  }
  return found;
}

TEST(WireDocument, ItsExamplesAreTheFramesTheyClaimToBe) {
  const auto all = examples();
  ASSERT_GE(all.size(), 3U) << "no examples in " << PILOTLIGHT_WIRE_DOCUMENT;
  for (const auto& [name, bytes] : all) {
    const Result<Frame> frame = decode(bytes);
    ASSERT_TRUE(frame.has_value()) << name << ": " << frame.error().message();
    EXPECT_EQ(name_of(type_of(*frame)), name);
    EXPECT_EQ(*encode(*frame), bytes) << name;
  }
  const Hello hello = std::get<Hello>(*decode(all.at("HELLO")));
  EXPECT_EQ(hello.role, Role::sidecar);
  EXPECT_EQ(hello.address, "127.3.2.10:8012");
}

}  // namespace
}  // namespace pilotlight::wire
