#include "local/shim.h"

#include <array>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "local/process_tree.h"
#include "tests/local/process_fixture.h"

namespace pilotlight::local {
namespace {

struct ShimTest : ProcessFixture {
  std::vector<ShimReport> reports;
  bool over = false;

  Task<> follow(Shim& shim) {
    for (;;) {
      const auto report = co_await shim.next();
      if (!report) break;
      reports.push_back(*report);
    }
    over = true;
  }

  void start(Shim& shim, std::vector<ProcessSpec> processes) {
    const auto started = shim.start(std::move(processes));
    ASSERT_TRUE(started) << started.error().message();
    shard.scope().spawn(follow(shim));
  }

  const ShimReport* find(ShimReport::Kind kind, const std::string& role) const {
    for (const ShimReport& report : reports) {
      if (report.kind == kind && report.role == role) return &report;
    }
    return nullptr;
  }

  /// A script that leaves a grandchild in a session of its own, whose pid is in `name`.
  std::string with_orphan(const std::string& name, const std::string& rest) const {
    return "setsid sh -c 'echo $$ > " + (folder / name).string() + "; exec sleep 1000' & " + rest;
  }
};

TEST_F(ShimTest, ReportsStartsAndEndsOfBoth) {
  Shim shim(shard.executor(), launcher);
  start(shim, {shell("app", "exit 3"), shell("sidecar", "kill -9 $$")});
  ASSERT_TRUE(run_until([&] { return over; }));
  ASSERT_NE(find(ShimReport::Kind::started, "app"), nullptr);
  EXPECT_GT(find(ShimReport::Kind::started, "app")->exec_us, 0);
  const ShimReport* app = find(ShimReport::Kind::exited, "app");
  const ShimReport* sidecar = find(ShimReport::Kind::exited, "sidecar");
  ASSERT_TRUE(app != nullptr && sidecar != nullptr);
  EXPECT_FALSE(app->by_signal);
  EXPECT_EQ(app->code, 3);
  EXPECT_TRUE(sidecar->by_signal);
  EXPECT_EQ(sidecar->code, 9);
}

TEST_F(ShimTest, AProgramThatIsNotThereIsAReportNotASilence) {
  Shim shim(shard.executor(), launcher);
  ProcessSpec missing = shell("app", "");
  missing.argv = {"no-such-program"};
  ProcessSpec lost = shell("sidecar", "true");
  lost.directory = "/no/such/folder";
  start(shim, {missing, lost});
  ASSERT_TRUE(run_until([&] { return over; }));
  ASSERT_NE(find(ShimReport::Kind::failed, "app"), nullptr);
  EXPECT_EQ(find(ShimReport::Kind::failed, "app")->text,
            "exec no-such-program: No such file or directory");
  ASSERT_NE(find(ShimReport::Kind::failed, "sidecar"), nullptr);
  EXPECT_NE(find(ShimReport::Kind::failed, "sidecar")->text.find("chdir"), std::string::npos);
}

TEST_F(ShimTest, GivesEnvironmentFolderLogAndListeners) {
  std::array<int, 2> log{};
  ASSERT_EQ(pipe2(log.data(), O_CLOEXEC), 0);
  ProcessSpec spec = shell("app",
                           "echo $A $PWD $LISTEN_FDS; test $LISTEN_PID = $$ && echo mine; "
                           "test -S /proc/self/fd/3 && echo socket; "
                           "test -e /proc/self/fd/4 || echo no more");
  spec.env.push_back("A=one");
  spec.directory = "/usr";
  spec.log_fd = log[1];
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  spec.listen_fds = {listener};
  Shim shim(shard.executor(), launcher);
  start(shim, {spec});
  ASSERT_TRUE(run_until([&] { return over; }));
  close(log[1]);
  close(listener);
  std::string text(1000, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(log[0], text.data(), 1000))));
  close(log[0]);
  EXPECT_EQ(text, "one /usr 1\nmine\nsocket\nno more\n");
}

TEST_F(ShimTest, TermReachesOneAndKillLeavesNoOrphan) {
  Shim shim(shard.executor(), launcher);
  start(shim, {shell("app", with_orphan("orphan", "exec sleep 1000")),
               shell("sidecar", "exec sleep 1000")});
  ASSERT_TRUE(run_until([&] {
    return number_in("orphan") != 0 && find(ShimReport::Kind::started, "sidecar") != nullptr;
  }));
  const int orphan = number_in("orphan");
  shim.term("sidecar");
  ASSERT_TRUE(run_until([&] { return find(ShimReport::Kind::exited, "sidecar") != nullptr; }));
  EXPECT_EQ(find(ShimReport::Kind::exited, "sidecar")->code, SIGTERM);
  EXPECT_EQ(find(ShimReport::Kind::exited, "app"), nullptr);
  EXPECT_TRUE(alive(orphan));
  shim.kill();
  ASSERT_TRUE(run_until([&] { return over; }));
  EXPECT_FALSE(alive(orphan));
  EXPECT_FALSE(alive(find(ShimReport::Kind::started, "app")->pid));
}

TEST_F(ShimTest, AnAppThatEndsTakesItsOrphansWithIt) {
  Shim shim(shard.executor(), launcher);
  const std::string wait =
      "while ! test -s " + (folder / "left").string() + "; do sleep 0.01; done";
  start(shim, {shell("app", with_orphan("left", wait))});
  ASSERT_TRUE(run_until([&] { return over; }));
  EXPECT_NE(number_in("left"), 0);
  EXPECT_FALSE(alive(number_in("left")));
}

TEST_F(ShimTest, DestroyingItKillsEverything) {
  int app = 0;
  {
    Shim shim(shard.executor(), launcher);
    const auto started = shim.start({shell("app", with_orphan("gone", "exec sleep 1000"))});
    ASSERT_TRUE(started);
    ASSERT_TRUE(run_until([&] { return number_in("gone") != 0; }));
    for (const pid_t pid : descendants(getpid())) app = pid;
    EXPECT_TRUE(alive(number_in("gone")));
  }
  EXPECT_FALSE(alive(number_in("gone")));
  EXPECT_FALSE(alive(app));
}

TEST_F(ShimTest, AShimThatIsKilledLeavesNothingEither) {
  Shim shim(shard.executor(), launcher);
  start(shim, {shell("app", with_orphan("stray", "exec sleep 1000"))});
  ASSERT_TRUE(run_until([&] {
    return number_in("stray") != 0 && find(ShimReport::Kind::started, "app") != nullptr;
  }));
  const int app = find(ShimReport::Kind::started, "app")->pid;
  for (const pid_t child : children(getpid())) ::kill(child, SIGKILL);  // the shim itself
  ASSERT_TRUE(run_until([&] { return over; }));
  EXPECT_FALSE(alive(app));
  EXPECT_FALSE(alive(number_in("stray")));
}

/// In a process of its own: starts a shim by hand and never ends.
[[noreturn]] void be_a_parent_that_is_killed(const std::string& encoded) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) _exit(1);
  if (fork() == 0) {
    dup2(ends[1], kShimControlFd);
    execl(SHIM, SHIM, nullptr);
    _exit(1);
  }
  close(ends[1]);
  if (write(ends[0], encoded.data(), encoded.size()) < 0) _exit(1);
  for (;;) pause();
}

TEST_F(ShimTest, NothingSurvivesAKilledParent) {
  const std::string script = "echo $$ > " + (folder / "app").string() + "; exec sleep 1000";
  const std::string encoded = encode_spec({shell("app", with_orphan("deep", script))});
  const pid_t parent = fork();
  if (parent == 0) be_a_parent_that_is_killed(encoded);
  ASSERT_TRUE(run_until([&] { return number_in("app") != 0 && number_in("deep") != 0; }));
  ::kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // What ends is handed to this process, a subreaper too, as a zombie.
  EXPECT_TRUE(run_until([&] {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return !alive(number_in("app")) && !alive(number_in("deep"));
  }));
}

}  // namespace
}  // namespace pilotlight::local
