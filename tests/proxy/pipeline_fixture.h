#pragma once

#include "tests/proxy/sidecar_fixture.h"

namespace pilotlight::proxy {

inline constexpr std::string_view kHop = "GET / HTTP/1.1\r\nHost: a\r\nPilotlight-Hop: 7\r\n\r\n";

/// A sidecar with two permits whose app is ready. Every test ends with nothing in flight and every
/// permit back.
class PipelineTest : public SidecarFixture {
 protected:
  static constexpr std::uint32_t kLimit = 2;

  PipelineTest() : SidecarFixture(kLimit) {}

  void SetUp() override {
    open(params());
    shard_.scope.spawn(readiness_.run());
    ASSERT_TRUE(until([this] { return readiness_.ready(); }));
  }
  void TearDown() override { close(); }

  /// Requests that have ended so.
  [[nodiscard]] std::uint64_t ended(Outcome outcome) const {
    return observer_.cells().requests[static_cast<std::size_t>(outcome)].read();
  }

  Pipeline::Params params() {
    Pipeline::Params params;
    params.clocks.total = std::chrono::seconds(60);
    return params;
  }
};

}  // namespace pilotlight::proxy
