// Connections that are kept, and those with TLS.
#include "common/control/pool.h"

#include "tests/common/control/loop_fixture.h"
#include "tests/common/control/scripted_server.h"
#include "tests/support/tls_identity.h"

namespace pilotlight::control {
namespace {

using test::ScriptedServer;

class PoolTest : public test::LoopTest {
 protected:
  void TearDown() override {
    if (server_) server_->stop();
    pool_.reset();
    run_until([this] { return scope_.size() == 0; });
  }

  void serve(ScriptedServer::Script script, std::shared_ptr<const TlsContext> tls = nullptr) {
    server_ =
        std::make_unique<ScriptedServer>(executor(), scope_, std::move(script), std::move(tls));
  }
  void use(Peer peer, std::size_t most = 16) {
    pool_ = std::make_unique<Pool>(executor(), clock_, std::move(peer), most);
  }
  Result<Answer> ask(std::string method = "GET") {
    Ask what;
    what.method = std::move(method);
    return run(pool_->ask(std::move(what), soon()));
  }
  static Task<> ask_and_count(Pool& pool, TimePoint deadline, std::size_t& answered) {
    Ask what;
    const auto answer = co_await pool.ask(std::move(what), deadline);
    if (answer.has_value()) ++answered;
  }
  /// The server's own identity, and a Peer that trusts `roots` to speak for `name`.
  void serve_secure() {
    const auto tls = TlsContext::server(TlsSettings(), identity_.certificate, identity_.key);
    ASSERT_TRUE(tls.has_value());
    serve([](const std::string&) { return ScriptedServer::answer(200, "safe"); }, *tls);
  }
  Peer secure(const std::string& roots, std::string name = "") {
    TlsTrust trust;
    trust.roots = roots;
    trust.system_roots = false;
    Peer peer(server_->at());
    peer.tls = *TlsContext::client(trust);
    peer.name = std::move(name);
    return peer;
  }

  test::TlsIdentity identity_ = test::make_tls_identity("server");
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Pool> pool_;
};

TEST_F(PoolTest, OneConnectionServesManyRequests) {
  serve(
      [](const std::string& request) { return ScriptedServer::answer(200, request.substr(0, 3)); });
  use(server_->at());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask()->body, "GET");
  EXPECT_EQ(server_->connections(), 1u);
  EXPECT_EQ(pool_->idle(), 1u);
}

TEST_F(PoolTest, AHeaderOfTheAskTakesThePlaceOfOurs) {
  serve([](const std::string& request) { return ScriptedServer::answer(200, request); });
  use(server_->at());
  EXPECT_NE(ask()->body.find("User-Agent: pilotlight\r\n"), std::string::npos);
  Ask what;
  what.headers["User-Agent"] = "kube-probe/1.30";  // a sidecar goes by the first that it finds
  what.headers["host"] = "iris";
  const std::string seen = run(pool_->ask(std::move(what), soon()))->body;
  EXPECT_EQ(seen.find("pilotlight"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("127.0.0.1"), std::string::npos) << seen;
}

TEST_F(PoolTest, AConnectionThatTheServerEndsIsNotKept) {
  serve([](const std::string&) {
    return ScriptedServer::answer(200, "bye", "Connection: close\r\n") + ScriptedServer::kCut;
  });
  use(server_->at());
  EXPECT_EQ(ask()->body, "bye");
  EXPECT_EQ(pool_->idle(), 0u);
}

TEST_F(PoolTest, AnIdleConnectionThatDiedIsReplaced) {
  serve([](const std::string&) { return ScriptedServer::answer(200, "ok"); });
  use(server_->at());
  ASSERT_TRUE(ask().has_value());
  server_->drop_connections();
  EXPECT_EQ(ask()->body, "ok");
  EXPECT_EQ(server_->connections(), 2u);
}

TEST_F(PoolTest, AGetThatDiedUnansweredIsSentOnceMoreOnANewConnection) {
  int asked = 0;
  bool dying = false;
  serve([&](const std::string&) {
    ++asked;
    return dying ? std::string() : ScriptedServer::answer(200, "ok");
  });
  use(server_->at());
  std::size_t answered = 0;
  for (int i = 0; i < 10; ++i) scope_.spawn(ask_and_count(*pool_, soon(), answered));
  run_until([&answered] { return answered == 10; });
  ASSERT_EQ(pool_->idle(), 10u);
  dying = true;
  EXPECT_FALSE(ask().has_value());  // not on the other nine
  EXPECT_EQ(asked, 12);
  EXPECT_EQ(server_->connections(), 11u);
}

TEST_F(PoolTest, AChangeThatDiedUnansweredIsForItsOwnerToSendAgain) {
  int asked = 0;
  serve([&asked](const std::string&) {
    ++asked;
    return asked % 2 == 1 ? ScriptedServer::answer(200, "ok") : std::string();
  });
  use(server_->at());
  for (const char* method : {"PATCH", "PUT", "POST"}) {
    const int before = asked;
    EXPECT_EQ(ask()->body, "ok");
    EXPECT_FALSE(ask(method).has_value()) << method;
    EXPECT_EQ(asked, before + 2) << method;
  }
}

TEST_F(PoolTest, AnAnswerThatWasCutIsAnErrorAndNotAskedForAgain) {
  int asked = 0;
  serve([&asked](const std::string&) {
    std::string whole = ScriptedServer::answer(200, "a longer answer");
    if (++asked == 2) whole = whole.substr(0, whole.size() - 4) + ScriptedServer::kCut;
    return whole;
  });
  use(server_->at());
  ASSERT_TRUE(ask().has_value());
  EXPECT_FALSE(ask().has_value());
  EXPECT_EQ(asked, 2);
}

TEST_F(PoolTest, WhoFindsEveryConnectionTakenWaitsInLine) {
  serve([](const std::string&) { return ScriptedServer::answer(200, "ok"); });
  use(server_->at(), 2);
  std::size_t answered = 0;
  for (int i = 0; i < 10; ++i) scope_.spawn(ask_and_count(*pool_, soon(), answered));
  run_until([&answered] { return answered == 10; });
  EXPECT_EQ(server_->connections(), 2u);
  EXPECT_EQ(pool_->taken(), 0u);
}

TEST_F(PoolTest, ADeadlineEndsASilentServerAndFreesTheConnection) {
  serve([](const std::string&) { return std::string("HTTP/1.1 200 x\r\n"); });
  use(server_->at(), 1);
  Ask what;
  const auto answer = run(pool_->ask(what, clock_.now() + std::chrono::milliseconds(20)));
  EXPECT_EQ(answer.error(), make_error_code(FlowError::deadline_exceeded));
  EXPECT_EQ(pool_->taken(), 0u);
  EXPECT_EQ(pool_->idle(), 0u);
}

TEST_F(PoolTest, TlsAnswersAServerThatItTrusts) {
  serve_secure();
  use(secure(identity_.certificate));
  EXPECT_EQ(ask()->body, "safe");
  EXPECT_EQ(ask()->body, "safe");
  EXPECT_EQ(server_->connections(), 1u);
  use(secure(identity_.certificate, "localhost"));
  EXPECT_EQ(ask()->body, "safe");
}

TEST_F(PoolTest, TlsRefusesAStrangerAndAnotherName) {
  serve_secure();
  use(secure(test::make_tls_identity("server").certificate));
  EXPECT_STREQ(ask().error().category().name(), "tls");
  use(secure(identity_.certificate, "kubernetes.default"));
  EXPECT_STREQ(ask().error().category().name(), "tls");
}

TEST_F(PoolTest, ANameIsLookedUp) {
  serve_secure();
  Peer peer = secure(identity_.certificate);
  peer.endpoint.address(asio::ip::address_v4::any());
  peer.host = "localhost:" + std::to_string(peer.endpoint.port());
  use(std::move(peer));
  EXPECT_EQ(ask()->body, "safe");
}

}  // namespace
}  // namespace pilotlight::control
