// The webhook port over loopback: who may stay when there are too many.
#include "controller/hook_server.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/loopback.h"
#include "tests/support/tls_identity.h"
#include "tests/support/transport_client.h"

namespace pilotlight::controller {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPost = "POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";

class HookServerTest : public testing::Test {
 protected:
  using Client = std::unique_ptr<test::TransportClient>;

  void SetUp() override {
    const test::TlsIdentity identity = test::make_tls_identity("localhost");
    const auto bound = hooks_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    ASSERT_TRUE(bound);
    at_ = *bound;
    const auto shown = TlsContext::server(TlsSettings(), identity.certificate, identity.key);
    ASSERT_TRUE(shown) << shown.error();
    hooks_.show(*shown);
    const auto trust = TlsContext::client(identity.certificate);
    ASSERT_TRUE(trust) << trust.error();
    trust_ = *trust;
  }
  void TearDown() override {
    silent_.clear();
    hooks_.close();
    hooks_.stop();
    EXPECT_TRUE(shard_.run_until([this] { return hooks_.idle(); }));
  }

  /// Connected and secured.
  Client connect() {
    auto client = std::make_unique<test::TransportClient>(shard_, at_, trust_.get());
    EXPECT_TRUE(shard_.run_until([&] { return client->secured(); }));
    return client;
  }
  /// Sends this, and waits until so many answers begin like that.
  void exchange(test::TransportClient& client, std::string_view bytes, std::string_view answer,
                std::size_t times = 1) {
    client.send(bytes);
    EXPECT_TRUE(shard_.run_until([&] { return count(client.received(), answer) == times; }));
  }
  static std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  /// So many that connect and never say a word.
  void fill(std::size_t number) {
    for (std::size_t i = 0; i < number; ++i) {
      silent_.push_back(std::make_unique<test::RawClient>(shard_, at_));
    }
    shard_.settle();
  }
  [[nodiscard]] std::size_t silent_ended() const {
    std::size_t ended = 0;
    for (const auto& each : silent_) ended += each->ended() ? 1 : 0;
    return ended;
  }

  test::LoopbackShard shard_{test::LoopbackShard::Time::simulated};
  HookServer hooks_{shard_.parts,
                    [](std::string_view, const kube::Json& posted) { return posted; }};
  tcp::endpoint at_;
  std::shared_ptr<const TlsContext> trust_;
  std::vector<std::unique_ptr<test::RawClient>> silent_;
};

TEST_F(HookServerTest, WhoeverSaysNothingMakesPlaceForWhoeverAsks) {
  fill(HookServer::kMostConnections);
  const Client client = connect();
  exchange(*client, kPost, "200 OK");
  EXPECT_TRUE(shard_.run_until([this] { return silent_[0]->ended(); })) << "the longest";
  EXPECT_EQ(silent_ended(), 1U) << "and nobody else";
}

TEST_F(HookServerTest, EachNewcomerHasThePlaceOfAnother) {
  fill(HookServer::kMostConnections + 100);
  EXPECT_TRUE(shard_.run_until([this] { return silent_ended() == 100; }));
  EXPECT_FALSE(silent_[100]->ended());
}

TEST_F(HookServerTest, WhoHasAskedOutlivesWhoNeverHas) {
  const Client asking = connect();
  exchange(*asking, kPost, "200 OK");
  fill(HookServer::kMostConnections + 100);
  EXPECT_TRUE(shard_.run_until([this] { return silent_ended() == 101; }));
  exchange(*asking, kPost, "200 OK", 2);
}

TEST_F(HookServerTest, OneWhoseBodyDoesNotComeMakesPlaceInTheEnd) {
  std::vector<Client> stalled;
  for (std::size_t i = 0; i < HookServer::kMostConnections; ++i) {
    stalled.push_back(connect());
    exchange(*stalled.back(),
             "POST /hook HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
             "100 Continue");
  }
  const Client client = connect();
  exchange(*client, kPost, "200 OK");
  EXPECT_TRUE(shard_.run_until([&] { return stalled[0]->ended(); }));
  exchange(*stalled[1], "{}", "200 OK");
}

TEST_F(HookServerTest, ARequestInProgressIsEndedLast) {
  const Client asking = connect();
  exchange(*asking,
           "POST /hook HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
           "100 Continue");
  fill(HookServer::kMostConnections - 1);
  const Client client = connect();
  exchange(*client, kPost, "200 OK");
  EXPECT_TRUE(shard_.run_until([this] { return silent_[0]->ended(); }));
  exchange(*asking, "{}", "200 OK");
}

TEST_F(HookServerTest, AConnectionThatIsUsedStaysLongerThanOneThatIsNot) {
  const Client used = connect();
  const Client unused = connect();
  exchange(*used, kPost, "200 OK");
  exchange(*unused, kPost, "200 OK");
  exchange(*used, kPost, "200 OK", 2);
  std::vector<Client> others;
  for (std::size_t i = 2; i < HookServer::kMostConnections; ++i) {
    others.push_back(connect());
    exchange(*others.back(), kPost, "200 OK");
  }
  const Client client = connect();
  EXPECT_TRUE(shard_.run_until([&] { return unused->ended(); }));
  EXPECT_FALSE(used->ended());
  EXPECT_FALSE(others.front()->ended());
}

TEST_F(HookServerTest, TheFirstRequestComesAtOnceAndTheNextWithinFiveMinutes) {
  const Client silent = connect();
  const Client asking = connect();
  exchange(*asking, kPost, "200 OK");
  shard_.settle();
  shard_.sim.advance(10s);
  EXPECT_TRUE(shard_.run_until([&] { return silent->ended(); }));
  exchange(*asking, kPost, "200 OK", 2);
  shard_.sim.advance(5min - 1s);
  exchange(*asking, kPost, "200 OK", 3);
  shard_.sim.advance(5min);
  EXPECT_TRUE(shard_.run_until([&] { return asking->ended(); }));
}

}  // namespace
}  // namespace pilotlight::controller
