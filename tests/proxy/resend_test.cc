// Whether a request is sent again when the connection it went out on had died.
#include "tests/proxy/sidecar_fixture.h"

namespace pilotlight::proxy {
namespace {

using test::RawClient;

/// Simulated time stands still, so a connection to the app that comes back counts as just used and
/// is taken again without a look at it.
class ResendTest : public SidecarFixture {
 protected:
  ResendTest() : SidecarFixture(1, Time::simulated) {}
  void SetUp() override { open(Pipeline::Params()); }
  void TearDown() override { close(); }
  void pass_time() override { shard_.sim.advance(std::chrono::milliseconds(10)); }
};

TEST_F(ResendTest, AResetBeforeAByteHasArrivedCostsTheClientNothing) {
  const std::string ok(kOk);
  app_.automatic = ok;
  RawClient& c = client();
  c.send(kGet);
  ASSERT_TRUE(until([&] { return c.received() == ok; }));
  ASSERT_TRUE(until([&] { return app_pool_.idle() == 1; }));

  // The next request is read before the reset is: the events come in this order.
  c.send("POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  app_.reset(0);
  ASSERT_TRUE(until([&] { return c.received().size() > ok.size(); }));
  EXPECT_EQ(c.received(), ok + ok);
  EXPECT_EQ(observer_.cells().upstream_reused.read(), 1u) << "it did go out on the dead one";
  ASSERT_EQ(app_.accepted(), 2u);
  EXPECT_EQ(app_[1].received.find("POST /again "), 0u);
  EXPECT_TRUE(app_[1].received.ends_with("\r\n\r\nbody"));
  EXPECT_EQ(app_.requests(), 2u) << "the app has seen each once";
  const auto answered = static_cast<std::size_t>(Outcome::answered);
  EXPECT_EQ(observer_.cells().requests[answered].read(), 2u);
}

}  // namespace
}  // namespace pilotlight::proxy
