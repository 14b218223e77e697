#include "local/component.h"

#include "tests/local/process_fixture.h"

namespace pilotlight::local {
namespace {

struct ComponentTest : ProcessFixture {
  std::vector<Component::End> ends;
  std::unique_ptr<Component> component;

  void start(const std::string& script) {
    component = std::make_unique<Component>(
        shard.executor(), shard.clock(), launcher, shell("activator", script), folder / "log",
        [this](const Component::End& end) { ends.push_back(end); });
    shard.scope().spawn(component->run());
  }
};

TEST_F(ComponentTest, IsStartedAgainAtOnceWhenItIsKilled) {
  start("exec sleep 1000");
  ASSERT_TRUE(run_until([&] { return component->pid() != 0; }));
  const int first = component->pid();
  ::kill(first, SIGKILL);
  ASSERT_TRUE(run_until([&] { return component->pid() != 0 && component->pid() != first; }));
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].story, "was killed by signal 9");
  component->stop(std::chrono::seconds(20));
  EXPECT_TRUE(run_until([&] { return component->ended() && shard.scope().size() == 0; }));
  EXPECT_EQ(ends.size(), 1u);
}

TEST_F(ComponentTest, StopEndsEvenOneThatIgnoresIt) {
  start("trap '' TERM; echo up > " + (folder / "up").string() + "; while :; do sleep 0.01; done");
  ASSERT_TRUE(run_until([&] { return std::filesystem::exists(folder / "up"); }));
  component->stop(Duration::zero());
  EXPECT_TRUE(run_until([&] { return component->ended() && shard.scope().size() == 0; }));
}

TEST_F(ComponentTest, TellsTheLastLinesOfOneThatDies) {
  start("echo cannot bind; exit 1");
  ASSERT_TRUE(run_until([&] { return !ends.empty(); }));
  EXPECT_EQ(ends[0].story, "exited with 1");
  EXPECT_EQ(ends[0].lines, std::vector<std::string>{"cannot bind"});
  component->stop(Duration::zero());
  EXPECT_TRUE(run_until([&] { return component->ended() && shard.scope().size() == 0; }));
}

}  // namespace
}  // namespace pilotlight::local
