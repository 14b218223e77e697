#include "common/async/event.h"
#include "tests/common/wire/link_fixture.h"

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

/// A gate that the test opens, or its deadline, unless it is `patient`.
struct Turnstile final : Gate {
  explicit Turnstile(Clock& clock) : opened(clock) {}
  Task<std::optional<Objection>> check(const Hello& hello, TimePoint deadline) override {
    asked.push_back(hello);
    const bool came = co_await opened.wait(patient ? TimePoint::max() : deadline);
    if (came) co_return objection;
    Objection late;
    late.text = "too late";
    co_return late;
  }
  Event opened;
  std::optional<Objection> objection;
  bool patient = false;
  std::vector<Hello> asked;
};

class WireGate : public WireLink {
 protected:
  WireGate() {
    scope.spawn(server->stop());
    EXPECT_TRUE(run_until([this] { return scope.size() == 0; }));
    ServerOptions options = serving();
    options.gate = &gate;
    server.emplace(loop.get_executor(), clock, options, desk);
    EXPECT_TRUE(server->listen(where).has_value());
  }

  Turnstile gate{clock};
};

INSTANTIATE_TEST_SUITE_P(Transports, WireGate, ::testing::Bool(), transport_name);

TEST_P(WireGate, NothingIsHandedOverBeforeTheGateHasDecided) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::sidecar, "r1", 7), owner);
  for (int n = 0; n < 3; ++n) client.put_stats(Stats());
  ASSERT_TRUE(run_until([this] { return gate.asked.size() == 1; }));
  run_until([until = clock.now() + 50ms, this] { return clock.now() >= until; });
  EXPECT_TRUE(desk.peers.empty());
  EXPECT_TRUE(desk.frames.empty()) << "its STATS came with HELLO";
  gate.opened.set();
  EXPECT_TRUE(run_until([&] { return !desk.frames.empty() && owner.welcomes.size() == 1; }));
  EXPECT_EQ(gate.asked.front().token, "secret");
}

TEST_P(WireGate, AnObjectionIsToldCountedAndEndsIt) {
  Owner& owner = owners.emplace_back();
  gate.objection.emplace();
  gate.objection->why = Refusal::pod;
  gate.objection->text = "somebody else's";
  gate.opened.set();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::pod) >= 2; }));
  EXPECT_TRUE(desk.peers.empty());
  EXPECT_TRUE(owner.welcomes.empty());
}

TEST_P(WireGate, ADecisionThatDoesNotComeRefusesBeforeTheClientsPatienceEnds) {
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::unknown) == 1; }));
  EXPECT_EQ(server->counts().refused(Refusal::silent), 0U);
  EXPECT_TRUE(owner.welcomes.empty());
}

TEST_P(WireGate, StoppingDoesNotWaitForADecision) {
  gate.patient = true;
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return gate.asked.size() == 1; }));
  clients.back()->close();
  scope.spawn(server->stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 0; }));
}

TEST_P(WireGate, WhoWasWelcomedCanBeTurnedOut) {
  Owner& first = owners.emplace_back();
  Owner& second = owners.emplace_back();
  gate.opened.set();
  connect(hello(Role::sidecar, "r1", 7), first);
  connect(hello(Role::sidecar, "r2", 8), second);
  ASSERT_TRUE(run_until([&] { return first.welcomes.size() + second.welcomes.size() == 2; }));
  Objection objection;
  objection.why = Refusal::pod;
  objection.text = "not yours";
  server->turn_out([](const Hello& hello) { return hello.replica == "r1"; }, objection);
  ASSERT_TRUE(run_until([&first] { return first.reasons.size() == 1; }));
  EXPECT_NE(first.reasons.front().find("not yours"), std::string::npos) << first.reasons.front();
  EXPECT_EQ(server->counts().refused(Refusal::pod), 1U);
  EXPECT_TRUE(second.reasons.empty());
}

TEST_P(WireGate, AFollowerAsksNobody) {
  server->send_away("");
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().sent_away >= 1; }));
  EXPECT_TRUE(gate.asked.empty());
}

/// What TLS alone can do wrong.
class WireTls : public WireLink {};
INSTANTIATE_TEST_SUITE_P(Transports, WireTls, ::testing::Values(true), transport_name);

TEST_P(WireTls, APlainClientIsRefusedAndCounted) {
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner, CredentialSources());
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::tls) >= 2; }));
  EXPECT_TRUE(owner.welcomes.empty());
  EXPECT_TRUE(desk.peers.empty());
}

TEST_P(WireTls, ATlsClientOfAPlainServerIsRefusedAndCounted) {
  Desk plain_desk;
  Server plain(loop.get_executor(), clock, ServerOptions(), plain_desk);
  where = *plain.listen(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([&plain] { return plain.counts().bad_frames >= 2; }));
  EXPECT_TRUE(owner.welcomes.empty());
  clients.back()->close();
  scope.spawn(plain.stop());
  ASSERT_TRUE(run_until([this] { return scope.size() == 0; }));
}

TEST_P(WireTls, AServerOfAnotherAuthorityIsNotSpokenTo) {
  const Identity other;
  CredentialSources credentials;
  credentials.ca = other.ca();
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner, credentials);
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::tls) >= 2; }));
  EXPECT_EQ(server->counts().frames, 0U) << "its token stays with it";
}

TEST_P(WireTls, ACertificateForAnotherNameIsNotEnough) {
  identity->show({"pilotlight-webhook"});
  ASSERT_EQ(files->load(), std::nullopt);
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner);
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::tls) >= 2; }));
  EXPECT_EQ(server->counts().frames, 0U);
}

TEST_P(WireTls, WithoutAUsableCaNothingIsSent) {
  CredentialSources credentials;
  credentials.ca = "no certificate";
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner, credentials);
  run_until([until = clock.now() + 100ms, this] { return clock.now() >= until; });
  EXPECT_EQ(server->counts().accepted, 0U);
  EXPECT_TRUE(owner.welcomes.empty());
}

TEST_P(WireTls, ASilentClientIsGivenUpWithinTheHandshakesTime) {
  TcpStream stray(loop.get_executor());
  stray.connect(where);
  EXPECT_TRUE(run_until([this] { return server->counts().refused(Refusal::silent) == 1; }));
}

TEST_P(WireTls, TokenAndCaAreReadAgainBeforeEachConnect) {
  const std::string folder = identity->folder();
  std::ofstream(folder + "/token") << "of yesterday\n";
  CredentialSources credentials;
  credentials.token_file = folder + "/token";
  credentials.ca_file = folder + "/ca.crt";  // not there yet
  Owner& owner = owners.emplace_back();
  connect(hello(Role::sidecar, "r1", 7), owner, credentials);
  run_until([until = clock.now() + 50ms, this] { return clock.now() >= until; });
  EXPECT_EQ(server->counts().accepted, 0U);
  std::ofstream(folder + "/ca.crt") << identity->ca();
  ASSERT_TRUE(run_until([this] { return server->counts().refused(Refusal::token) >= 1; }));
  std::ofstream(folder + "/token") << "secret\n";
  EXPECT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
}

TEST_P(WireTls, ManyFramesInOneReadAllArrive) {
  Owner& owner = owners.emplace_back();
  Client& client = connect(hello(Role::activator, "a", 7), owner);
  ASSERT_TRUE(run_until([&owner] { return owner.welcomes.size() == 1; }));
  for (int n = 0; n < 200; ++n) {
    Poke poke;
    poke.parked = static_cast<std::uint32_t>(n);
    client.send(poke);
  }
  EXPECT_TRUE(run_until([this] { return desk.frames.size() == 200; }));
}

}  // namespace
}  // namespace pilotlight::wire
