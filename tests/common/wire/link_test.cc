#include <array>

#include <boost/asio/write.hpp>

#include "common/wire/codec.h"
#include "tests/common/wire/link_fixture.h"

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(Transports, WireLink, ::testing::Bool(), transport_name);

TEST_P(WireLink, HelloIsAnsweredAndFramesGoBothWays) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::sidecar, "r1", 7), owner);
  EXPECT_FALSE(client.send(Ready())) << "not connected yet";
  owner.on_connected = [&client] { EXPECT_TRUE(client.send(Ready())); };
  ASSERT_TRUE(run_until([this] { return !desk.frames.empty(); }));
  EXPECT_TRUE(std::holds_alternative<Ready>(desk.frames.front()));
  ASSERT_EQ(owner.welcomes.size(), 1U);
  EXPECT_EQ(owner.welcomes.front().report_period_ms, 250U);
  EXPECT_EQ(owner.welcomes.front().server_epoch, 42U);
  ASSERT_EQ(desk.peers.size(), 1U);
  EXPECT_EQ(desk.peers.front()->hello().replica, "r1");
  EXPECT_EQ(desk.peers.front()->hello().token, "") << "checked, then forgotten";

  Drained drained;
  drained.replica = "r1";
  desk.peers.front()->send(drained);
  ASSERT_TRUE(run_until([&owner] { return !owner.frames.empty(); }));
  EXPECT_TRUE(owner.frames.front() == Frame(drained));
}

TEST_P(WireLink, OfACrowdSidecarsReportLessOftenAndActivatorsDoNot) {
  ServerOptions options = serving();
  options.report_period_ms = 250;
  options.crowd = 1;
  options.crowd_report_period_ms = 1000;
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 0; }));
  server.emplace(loop.get_executor(), clock, options, desk);
  ASSERT_TRUE(server->listen(where).has_value());
  const auto told = [this](Hello say) {
    Owner& owner = owners.emplace_back();
    connect(std::move(say), owner);
    EXPECT_TRUE(run_until([&owner] { return !owner.welcomes.empty(); }));
    return owner.welcomes.empty() ? 0U : owner.welcomes.front().report_period_ms;
  };
  EXPECT_EQ(told(hello(Role::sidecar, "r1", 7)), 250U);
  EXPECT_EQ(told(hello(Role::sidecar, "r2", 8)), 1000U);
  EXPECT_EQ(told(hello(Role::activator, "a1", 9)), 250U);
  EXPECT_EQ(server->counts().open, 3U);
}

TEST_P(WireLink, AWrongTokenIsRefusedAndTriedAgain) {
  Owner& owner = owners.emplace_back();
  Hello say = hello(Role::sidecar, "r1", 7);
  say.token = "secreT";
  connect(say, owner);
  ASSERT_TRUE(run_until([this] { return server->counts().refused() >= 2; }));
  EXPECT_TRUE(desk.peers.empty());
  EXPECT_TRUE(owner.welcomes.empty());
}

TEST_P(WireLink, AVersionThatIsNotSpokenIsRefused) {
  Owner& owner = owners.emplace_back();
  Hello say = hello(Role::sidecar, "r1", 7);
  say.version_min = 2;
  say.version_max = 9;
  connect(say, owner);
  ASSERT_TRUE(run_until([this] { return server->counts().refused() >= 1; }));
  EXPECT_TRUE(owner.welcomes.empty());
}

TEST_P(WireLink, ANewerConnectionOfTheSameProcessReplacesTheFirst) {
  Owner& first = owners.emplace_back();
  Owner& second = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), first);
  ASSERT_TRUE(run_until([this] { return desk.peers.size() == 1; }));
  connect(hello(Role::sidecar, "r1", 7), second);
  ASSERT_TRUE(run_until([this] { return desk.gone.size() == 1; }));
  EXPECT_TRUE(desk.gone.front().second);
  EXPECT_EQ(desk.peers.size(), 1U);
  clients[0]->close();  // or the two would take turns for ever
}

TEST_P(WireLink, AnotherEpochIsAnotherProcess) {
  Owner& first = owners.emplace_back();
  Owner& second = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), first);
  connect(hello(Role::sidecar, "r1", 8), second);
  ASSERT_TRUE(run_until([this] { return desk.peers.size() == 2; }));
  EXPECT_TRUE(desk.gone.empty());
}

TEST_P(WireLink, OfUnsentStatsTheNewestOfEachRevisionArrives) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::activator, "a", 7), owner);
  for (std::uint64_t n = 1; n <= 5; ++n) {  // before it can be connected: nothing ran yet
    Stats stats;
    stats.revision.revision = "r" + std::to_string(n % 2);
    stats.load.arrivals = n;
    client.put_stats(stats);
  }
  ASSERT_TRUE(run_until([this] { return desk.frames.size() >= 2; }));
  ASSERT_EQ(desk.frames.size(), 2U);
  EXPECT_EQ(std::get<Stats>(desk.frames[0]).load.arrivals, 5U);
  EXPECT_EQ(std::get<Stats>(desk.frames[1]).load.arrivals, 4U);
}

TEST_P(WireLink, AFrameOfTheWrongRoleEndsTheConnection) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::sidecar, "r1", 7), owner);
  owner.on_connected = [&client] { client.send(Poke()); };
  ASSERT_TRUE(run_until([&owner] { return !owner.reasons.empty(); }));
  EXPECT_NE(owner.reasons.front().find("not yours to send: POKE"), std::string::npos)
      << owner.reasons.front();
  EXPECT_TRUE(desk.frames.empty());
}

TEST_P(WireLink, AFollowerSendsClientsToItsLeader) {
  Desk follower_desk;
  Server follower(loop.get_executor(), clock, serving(), follower_desk);
  const tcp::endpoint leader = where;
  where = *follower.listen(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  follower.send_away(to_string(leader));
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return !owner.welcomes.empty(); }));
  EXPECT_EQ(owner.welcomes.front().server_epoch, 42U) << "the leader's";
  EXPECT_TRUE(follower_desk.peers.empty());
  EXPECT_EQ(follower.counts().sent_away, 1U);
  EXPECT_TRUE(owner.reasons.empty()) << "it was never connected before";

  // The leader dies and the follower leads: the client finds its way back.
  follower.welcome_all();
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 2; }));
  EXPECT_EQ(follower_desk.peers.size(), 1U);
  clients.back()->close();
  scope.spawn(follower.stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 0; }));
}

TEST_P(WireLink, AServerThatStopsSendsItsClientsToWhoLeadsNow) {
  Desk next_desk;
  Server next(loop.get_executor(), clock, serving(), next_desk);
  const tcp::endpoint leader = *next.listen(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
  server->send_away(to_string(leader));
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 2; }));
  EXPECT_EQ(next_desk.peers.size(), 1U);
  EXPECT_NE(owner.reasons.front().find("sent away to"), std::string::npos);
  clients.back()->close();
  scope.spawn(next.stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 0; }));
}

TEST_P(WireLink, AClientThatIsSentInCirclesRests) {
  server->send_away(to_string(where));
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().sent_away >= 4; }));
  const TimePoint begun = clock.now();
  const std::uint64_t before = server->counts().sent_away;
  run_until([this, begun] { return clock.now() >= begun + 500ms; });
  EXPECT_LE(server->counts().sent_away - before, 500U / 10) << "each wait is 10 ms at least";
  server->welcome_all();
  EXPECT_TRUE(run_until([&owner] { return !owner.welcomes.empty(); }));
}

TEST_P(WireLink, NobodyLeadsYetIsNoPlaceToGo) {
  server->send_away("");
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().sent_away >= 2; }));
  server->welcome_all();
  EXPECT_TRUE(run_until([&owner] { return !owner.welcomes.empty(); }));
}

TEST_P(WireLink, TheClientComesBackWhenTheServerReturns) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::activator, "a", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([&owner] { return owner.reasons.size() == 1; }));
  EXPECT_FALSE(client.connected());
  ASSERT_TRUE(run_until([this] { return scope.size() == 1; }));
  ServerOptions options = serving();
  options.epoch = 43;
  server.emplace(loop.get_executor(), clock, options, desk);
  ASSERT_TRUE(server->listen(where).has_value());
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 2; }));
  EXPECT_EQ(client.welcome()->server_epoch, 43U);
}

TEST_P(WireLink, HistoryIsToldOnceToEachServerThatIsNew) {
  Owner& owner = owners.emplace_back();
  Hello say = hello(Role::sidecar, "r1", 7);
  say.capabilities = kReplay;
  Client& client = connect(say, owner);
  EXPECT_FALSE(client.wants_history()) << "not connected yet";
  int wanted = 0;
  owner.on_connected = [&client, &wanted] {
    if (!client.wants_history()) return;
    ++wanted;
    client.put_history({History()});
    EXPECT_FALSE(client.wants_history());
    client.send(Ready());
  };
  ASSERT_TRUE(run_until([this] { return desk.frames.size() == 3; }));
  EXPECT_TRUE(std::holds_alternative<Ready>(desk.frames[0])) << "urgent ones do not wait for it";
  EXPECT_TRUE(std::holds_alternative<History>(desk.frames[1]));
  EXPECT_EQ(std::get<HistoryEnd>(desk.frames[2]).epoch, 7U);

  desk.peers.front()->close(ErrorCause::silent, "a blip");
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 2; }));
  EXPECT_EQ(wanted, 1) << "this server has it";
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 1; }));
  ServerOptions options = serving();
  options.token = "secret";
  options.epoch = 43;
  server.emplace(loop.get_executor(), clock, options, desk);
  ASSERT_TRUE(server->listen(where).has_value());
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 3; }));
  EXPECT_EQ(wanted, 2);
}

TEST_P(WireLink, APeerThatReplaysNothingIsNotAskedTo) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::activator, "a", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
  EXPECT_EQ(owner.welcomes.front().capabilities, kReplay);
  EXPECT_FALSE(client.wants_history()) << "its HELLO did not say that it would";
}

TEST_P(WireLink, CheckpointsAndEndpointsOfARevisionBothArrive) {
  Owner& owner = owners.emplace_back();
  connect(hello(Role::activator, "a", 7), owner);
  ASSERT_TRUE(run_until([this] { return desk.peers.size() == 1; }));
  desk.peers.front()->put_endpoints(Endpoints());
  desk.peers.front()->put_checkpoint(Checkpoint());
  EXPECT_TRUE(run_until([&owner] { return owner.frames.size() == 2; }));
}

TEST_P(WireLink, EndpointsReplaceUnsentOnesOfTheRevision) {
  Owner& owner = owners.emplace_back();
  connect(hello(Role::activator, "a", 7), owner);
  ASSERT_TRUE(run_until([this] { return desk.peers.size() == 1; }));
  for (std::uint64_t n = 1; n <= 3; ++n) {
    Endpoints endpoints;
    endpoints.generation = n;
    desk.peers.front()->put_endpoints(endpoints);
  }
  ASSERT_TRUE(run_until([&owner] { return !owner.frames.empty(); }));
  EXPECT_EQ(owner.frames.size(), 1U);
  EXPECT_EQ(std::get<Endpoints>(owner.frames.front()).generation, 3U);
}

TEST_P(WireLink, BytesThatAreNoFrameEndTheConnectionWithAnError) {
  TcpStream stray(loop.get_executor());
  stray.connect(where);
  const std::string request = "GET / HTTP/1.1\r\n\r\n";
  asio::write(stray, asio::buffer(request));
  if (GetParam()) {  // no handshake, so not even bytes of ours
    EXPECT_TRUE(run_until([this] { return server->counts().refused(Refusal::tls) == 1; }));
    return;
  }
  ASSERT_TRUE(run_until([this] { return server->counts().bad_frames == 1; }));
  std::array<std::byte, 512> answer{};
  const std::size_t n = stray.read_some(asio::buffer(answer));
  const Result<Frame> error = decode(std::span(answer).first(n));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(std::get<Error>(*error).code, ErrorCause::bad_frame);
}

TEST_P(WireLink, CancellingTheTaskEndsIt) {
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
  scope.cancel(asio::cancellation_type::terminal);
  EXPECT_TRUE(run_until([this] { return scope.size() == 0; }));
}

}  // namespace
}  // namespace pilotlight::wire
