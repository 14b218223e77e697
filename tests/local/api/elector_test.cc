// Leader election of common/kube against the laptop's API server.
#include "common/kube/elector.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "local/api/server.h"
#include "tests/common/control/loop_fixture.h"
#include "tests/support/held_port.h"

namespace pilotlight::local {
namespace {

using namespace std::chrono_literals;

class ElectorTest : public pilotlight::test::LoopTest {
 protected:
  /// One process that wants to lead.
  struct Candidate final : kube::Elector::Listener {
    Candidate(ElectorTest& test, const std::string& identity)
        : client(test.executor(), test.clock_, test.access()),
          elector(client, test.clock_, what(identity, test.duration_), *this, test.random_) {
      test.scope_.spawn(elector.watch());
      test.scope_.spawn(elector.run());
    }
    static kube::Elector::What what(const std::string& identity, std::chrono::seconds duration) {
      kube::Elector::What w;
      w.space = "default";
      w.name = "pilotlight-autoscaler";
      w.params.identity = identity;
      w.params.duration = duration;
      w.params.renew_within = Duration(duration) * 7 / 10;
      w.params.renew_every = 200ms;
      w.params.retry_after = 50ms;
      return w;
    }
    void elected() override { ++elections; }
    void deposed() override { ++losses; }
    void leader_changed(const std::string& holder) override { leader = holder; }

    kube::Client client;
    kube::Elector elector;
    int elections = 0;
    int losses = 0;
    std::string leader;
  };

  void SetUp() override {
    token_file_ = ::testing::TempDir() + "pilotlight-token-" + std::to_string(random_seed());
    std::ofstream(token_file_) << "secret\n";
    start();
  }
  void TearDown() override {
    a_->elector.close();
    if (b_) b_->elector.close();
    if (server_) run(server_->stop());
    run_until([this] { return scope_.size() == 0; });
    std::remove(token_file_.c_str());
  }

  void start() {
    ApiServer::Options options;
    options.token = "secret";
    server_ = std::make_unique<ApiServer>(executor(), clock_, store_, std::move(options));
    const auto bound = server_->listen(port_.endpoint());
    ASSERT_TRUE(bound.has_value()) << bound.error().message();
  }
  kube::Access access() const {
    kube::Access access;
    access.endpoint = port_.endpoint();
    access.token_file = token_file_;
    return access;
  }
  /// `a` leads and `b` knows it.
  void two() {
    a_ = std::make_unique<Candidate>(*this, "a");
    run_until([this] { return a_->elector.leading(); });
    b_ = std::make_unique<Candidate>(*this, "b");
    run_until([this] { return b_->leader == "a"; });
  }

  std::chrono::seconds duration_ = 8s;  // nobody loses it for being slow
  pilotlight::test::HeldPort port_;
  std::string token_file_;
  std::mt19937_64 random_{7};
  ApiStore store_{1, 1000};
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<Candidate> a_;
  std::unique_ptr<Candidate> b_;
};

TEST_F(ElectorTest, OneLeadsAndTheOtherFollows) {
  two();
  EXPECT_FALSE(b_->elector.leading());
  EXPECT_EQ(a_->elections, 1);
  EXPECT_EQ(b_->elections, 0);
}

TEST_F(ElectorTest, ALeaseThatIsGivenBackIsTaken) {
  two();
  run(a_->elector.release(clock_.now() + 5s));
  run_until([this] { return b_->elector.leading(); });
  EXPECT_EQ(a_->losses, 1);
  EXPECT_EQ(b_->leader, "b");
}

TEST_F(ElectorTest, TheLeaseOfADeadLeaderIsTaken) {
  duration_ = 1s;
  two();
  a_->elector.close();
  run_until([this] { return b_->elector.leading(); });
  EXPECT_EQ(b_->leader, "b");
}

TEST_F(ElectorTest, WhoStoodStillMayWriteNoLongerBeforeItHasNoticed) {
  duration_ = 1s;
  a_ = std::make_unique<Candidate>(*this, "a");
  run_until([this] { return a_->elector.leading(); });
  const TimePoint until = a_->elector.may_write_until();
  EXPECT_GT(until, clock_.now() - 1s);
  while (clock_.now() <= until) {
  }  // nothing of its own runs meanwhile
  EXPECT_TRUE(a_->elector.leading());
  const TimePoint then = a_->elector.may_write_until();
  EXPECT_LE(then, clock_.now());
}

TEST_F(ElectorTest, ALeaderWithoutItsApiServerStopsLeadingAndLeadsAgain) {
  duration_ = 1s;
  a_ = std::make_unique<Candidate>(*this, "a");
  run_until([this] { return a_->elector.leading(); });
  run(server_->stop());
  server_.reset();
  run_until([this] { return !a_->elector.leading(); });
  EXPECT_EQ(a_->losses, a_->elections);
  start();
  run_until([this] { return a_->elector.leading(); });
  EXPECT_EQ(a_->elections, a_->losses + 1);
}

}  // namespace
}  // namespace pilotlight::local
