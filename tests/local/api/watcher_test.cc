// The client and the watcher of common/kube against the laptop's API server.
#include "common/kube/watcher.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "local/api/server.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/local/api/objects.h"
#include "tests/support/held_port.h"

namespace pilotlight::local {
namespace {

using kube::kDeployments;

/// Writes down what it hears.
class Heard final : public kube::Watcher::Listener {
 public:
  void applied(const Json& object) override {
    told.push_back("applied " + std::string(kube::name_of(object)));
  }
  void removed(const Json& object) override {
    told.push_back("removed " + std::string(kube::name_of(object)));
  }
  void synced() override { told.emplace_back("synced"); }

  std::vector<std::string> told;
};

class KubeTest : public pilotlight::test::LoopTest {
 protected:
  void SetUp() override {
    token_file_ = ::testing::TempDir() + "pilotlight-token-" + std::to_string(random_seed());
    write_token("secret");
    start();
    client_ = std::make_unique<kube::Client>(executor(), clock_, access());
  }
  void TearDown() override {
    for (const auto& watcher : watchers_) watcher->close();
    if (server_) run(server_->stop());
    run_until([this] { return scope_.size() == 0; });
    std::remove(token_file_.c_str());
  }

  kube::Access access() const {
    kube::Access access;
    access.endpoint = port_.endpoint();
    access.token_file = token_file_;
    return access;
  }
  void write_token(const char* token) const { std::ofstream(token_file_) << token << "\n"; }

  void start(std::string token = "secret") {
    ApiServer::Options options;
    options.token = std::move(token);
    server_ = std::make_unique<ApiServer>(executor(), clock_, *store_, std::move(options));
    const auto bound = server_->listen(port_.endpoint());
    ASSERT_TRUE(bound.has_value()) << bound.error().message();
  }
  void stop() {
    run(server_->stop());
    server_.reset();
  }

  void watch(Heard& heard, std::string labels = "") {
    kube::Watcher::What what;
    what.resource = kDeployments;
    what.selector.labels = std::move(labels);
    watchers_.push_back(
        std::make_unique<kube::Watcher>(*client_, clock_, std::move(what), heard, random_));
    scope_.spawn(watchers_.back()->run());
  }
  void wait_for(const Heard& heard, const std::vector<std::string>& expected) {
    run_until([&] { return heard.told.size() >= expected.size(); });
    EXPECT_EQ(heard.told, expected);
  }
  void create(const std::string& name) {
    ASSERT_TRUE(store_->create(kDeployments, test::deployment(name)).has_value());
  }

  pilotlight::test::HeldPort port_;
  std::string token_file_;
  std::mt19937_64 random_{7};
  std::unique_ptr<ApiStore> store_ = std::make_unique<ApiStore>(1, 1000);
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<kube::Client> client_;
  std::vector<std::unique_ptr<kube::Watcher>> watchers_;
};

TEST_F(KubeTest, ClientReadsAndWrites) {
  auto made = run(client_->create(kDeployments, "default", test::deployment("iris"), soon()));
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_EQ((*made)["spec"]["replicas"], 1);
  Json old = *made;
  const auto scaled = run(client_->patch_scale("default", "iris", 3, soon()));
  ASSERT_TRUE(scaled.has_value());
  EXPECT_EQ((*scaled)["spec"]["replicas"], 3);
  EXPECT_EQ((*run(client_->get_scale("default", "iris", soon())))["spec"]["replicas"], 3);
  const auto conflict = run(client_->update(kDeployments, "default", old, soon()));
  EXPECT_EQ(conflict.error(), make_error_code(FlowError::conflict));

  kube::Selector selector;
  selector.labels = "app in (iris,echo)";
  const auto list = run(client_->list(kDeployments, "", selector, soon()));
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ((*list)["items"].size(), 1u);
  Json patch;
  patch["metadata"]["labels"]["tier"] = "gold";
  const auto patched =
      run(client_->patch(kDeployments, "default", "iris", kube::PatchKind::merge, patch, soon()));
  EXPECT_EQ(kube::label_of(*patched, "tier"), "gold");
  EXPECT_TRUE(run(client_->remove(kDeployments, "default", "iris", Json(), soon())).has_value());
  EXPECT_EQ(run(client_->get(kDeployments, "default", "iris", soon())).error(),
            make_error_code(FlowError::not_found));
}

TEST_F(KubeTest, RenewedTokenIsReadAgain) {
  ASSERT_TRUE(run(client_->list(kDeployments, "", kube::Selector(), soon())).has_value());
  stop();
  start("renewed");
  EXPECT_EQ(run(client_->list(kDeployments, "", kube::Selector(), soon())).error(),
            make_error_code(FlowError::unauthorized));
  write_token("renewed");
  EXPECT_TRUE(run(client_->list(kDeployments, "", kube::Selector(), soon())).has_value());
}

TEST_F(KubeTest, WatcherTellsWhatIsAndWhatBecomes) {
  create("iris");
  Heard heard;
  watch(heard);
  wait_for(heard, {"applied iris", "synced"});
  create("echo");
  wait_for(heard, {"applied iris", "synced", "applied echo"});
  ASSERT_TRUE(store_->remove_now(kDeployments, "default", "iris").has_value());
  wait_for(heard, {"applied iris", "synced", "applied echo", "removed iris"});
}

TEST_F(KubeTest, WatcherResumesAfterADisconnectWithoutTellingAnythingTwice) {
  create("iris");
  Heard heard;
  watch(heard);
  wait_for(heard, {"applied iris", "synced"});
  stop();
  create("echo");
  start();
  wait_for(heard, {"applied iris", "synced", "applied echo"});
}

TEST_F(KubeTest, WatcherThatIsTooOldHearsTheDifferences) {
  create("iris");
  create("echo");
  Heard heard;
  watch(heard);
  wait_for(heard, {"applied echo", "applied iris", "synced"});
  stop();
  ASSERT_TRUE(store_->remove_now(kDeployments, "default", "echo").has_value());
  for (int i = 0; i < 1001; ++i) {
    ASSERT_TRUE(store_->scale("default", "iris", i % 2).has_value());
  }
  start();
  wait_for(heard,
           {"applied echo", "applied iris", "synced", "applied iris", "removed echo", "synced"});
}

TEST_F(KubeTest, WatcherSurvivesAServerWithAnotherHistory) {
  create("iris");
  Heard heard;
  watch(heard);
  wait_for(heard, {"applied iris", "synced"});
  stop();
  store_ = std::make_unique<ApiStore>(2, 500'000);
  create("iris");
  create("other");
  start();
  wait_for(heard,
           {"applied iris", "synced", "removed iris", "applied iris", "applied other", "synced"});
}

TEST_F(KubeTest, WatcherSeesOnlyWhatItsSelectorMatches) {
  create("iris");
  create("echo");
  Heard heard;
  watch(heard, "app=echo");
  wait_for(heard, {"applied echo", "synced"});
  ASSERT_TRUE(store_->scale("default", "iris", 4).has_value());
  ASSERT_TRUE(store_->scale("default", "echo", 4).has_value());
  wait_for(heard, {"applied echo", "synced", "applied echo"});
}

TEST_F(KubeTest, WatcherStartedBeforeTheServerFindsIt) {
  stop();
  Heard heard;
  watch(heard);
  const auto refused = run(client_->list(kDeployments, "", kube::Selector(), soon()));
  EXPECT_FALSE(refused.has_value());
  create("iris");
  start();
  wait_for(heard, {"applied iris", "synced"});
}

TEST_F(KubeTest, CancelledScopeEndsTheWatcher) {
  Heard heard;
  watch(heard);
  wait_for(heard, {"synced"});
  scope_.cancel(asio::cancellation_type::terminal);
  run_until([this] { return scope_.size() == 0; });
}

}  // namespace
}  // namespace pilotlight::local
