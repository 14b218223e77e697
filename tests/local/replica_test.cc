#include "local/replica.h"

#include <algorithm>

#include "tests/local/process_fixture.h"

namespace pilotlight::local {
namespace {

struct ReplicaTest : ProcessFixture {
  std::vector<Replica::Happening> happened;
  std::unique_ptr<Replica> replica;

  void start(const std::string& app, const std::string& sidecar) {
    ReplicaSpec spec;
    spec.pod = "pod";
    spec.app = shell("app", app);
    spec.sidecar = shell("sidecar", sidecar);
    spec.probe = {asio::ip::make_address_v4("127.0.0.1"), 9};  // discard: nobody listens
    spec.app_log = folder / "app.log";
    spec.sidecar_log = folder / "sidecar.log";
    replica = std::make_unique<Replica>(
        shard.executor(), shard.clock(), launcher, std::move(spec),
        [this](Replica&, Replica::Happening what) { happened.push_back(what); });
    shard.scope().spawn(replica->run());
  }

  bool saw(Replica::Happening what) const {
    return std::find(happened.begin(), happened.end(), what) != happened.end();
  }
  bool ended() const { return saw(Replica::Happening::ended); }

  void end() {
    replica->stop(Duration::zero(), Duration::zero());
    EXPECT_TRUE(run_until([&] { return ended(); }));
    EXPECT_TRUE(run_until([&] { return shard.scope().size() == 0; }));
  }
};

using std::chrono::seconds;

TEST_F(ReplicaTest, StopEndsTheSidecarBeforeTheApp) {
  const std::string order = (folder / "order").string();
  const std::string sleeper = "; while :; do sleep 0.01; done";
  start("trap 'echo app >> " + order + "; exit 0' TERM; echo up > " + (folder / "a").string() +
            sleeper,
        "trap 'sleep 0.05; echo sidecar >> " + order + "; exit 0' TERM; echo up > " +
            (folder / "s").string() + sleeper);
  ASSERT_TRUE(run_until([&] {
    return std::filesystem::exists(folder / "a") && std::filesystem::exists(folder / "s") &&
           replica->facts().app_pid != 0;
  }));
  replica->stop(seconds(20), seconds(20));
  ASSERT_TRUE(run_until([&] { return ended(); }));
  std::ifstream file(order);
  std::string first, second;
  file >> first >> second;
  EXPECT_EQ(first, "sidecar");
  EXPECT_EQ(second, "app");
  EXPECT_EQ(replica->facts().restarts, 0u);
  EXPECT_TRUE(run_until([&] { return shard.scope().size() == 0; }));
}

TEST_F(ReplicaTest, WhoDoesNotObeyIsKilledWhenItsTimeIsOver) {
  start("trap '' TERM; while :; do sleep 0.01; done", "trap '' TERM; while :; do sleep 0.01; done");
  ASSERT_TRUE(run_until([&] { return saw(Replica::Happening::started); }));
  const int app = replica->facts().app_pid;
  end();
  EXPECT_FALSE(alive(app));
}

TEST_F(ReplicaTest, AnAppThatDiesIsStartedAgainWithItsSidecar) {
  const std::string mark = (folder / "second").string();
  start("test -e " + mark + " && exec sleep 1000; touch " + mark + "; echo out of memory; exit 3",
        "exec sleep 1000");
  ASSERT_TRUE(run_until([&] {
    return replica->facts().restarts == 1 && replica->facts().app_pid != 0 &&
           replica->facts().state == ReplicaFacts::State::running;
  }));
  ASSERT_TRUE(replica->facts().last_exit);
  EXPECT_EQ(replica->facts().last_exit->story(), "app exited with 3");
  EXPECT_EQ(replica->facts().last_exit->lines, std::vector<std::string>{"out of memory"});
  EXPECT_EQ(std::count(happened.begin(), happened.end(), Replica::Happening::started), 2);
  end();
}

TEST_F(ReplicaTest, ASidecarThatIsKilledTakesItsAppAlong) {
  start("exec sleep 1000", "exec sleep 1000");
  ASSERT_TRUE(run_until([&] { return saw(Replica::Happening::started); }));
  const int app = replica->facts().app_pid;
  const int sidecar = replica->facts().sidecar_pid;
  ::kill(sidecar, SIGKILL);
  ASSERT_TRUE(run_until([&] {
    return replica->facts().restarts == 1 && replica->facts().app_pid != 0 &&
           replica->facts().app_pid != app;
  }));
  EXPECT_FALSE(alive(app));
  EXPECT_EQ(replica->facts().last_exit->story(), "sidecar was killed by signal 9");
  end();
}

TEST_F(ReplicaTest, ACommandThatIsNotThereIsTriedAgainLater) {
  start("true", "exec sleep 1000");
  end();  // before anything has started
  happened.clear();
  ReplicaSpec spec = replica->spec();
  spec.app.argv = {"no-such-program"};
  replica = std::make_unique<Replica>(
      shard.executor(), shard.clock(), launcher, std::move(spec),
      [this](Replica&, Replica::Happening what) { happened.push_back(what); });
  shard.scope().spawn(replica->run());
  ASSERT_TRUE(run_until([&] {
    return replica->facts().state == ReplicaFacts::State::waiting &&
           replica->facts().retry_in >= seconds(1);
  }));
  EXPECT_EQ(replica->facts().last_exit->story(),
            "app: exec no-such-program: No such file or directory");
  end();
}

}  // namespace
}  // namespace pilotlight::local
