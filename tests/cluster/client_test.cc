// The client and the watcher against a real API server, with TLS and a client certificate: the
// kubeconfig is $KRUN/admin.kubeconfig. Run by run_api.sh.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include "common/kube/watcher.h"
#include "config/kubeconfig.h"
#include "tests/common/control/loop_fixture.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

constexpr int kObjects = 5000;

/// Counts what it hears; keeps nothing.
class Counter final : public Watcher::Listener {
 public:
  void applied(const Json&) override { ++known; }
  void removed(const Json&) override { --known; }
  void synced() override { ++syncs; }
  int known = 0;
  int syncs = 0;
};

/// Resident memory of this process.
std::int64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  statm >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

Json named(std::string name) {
  Json object;
  object["metadata"]["name"] = std::move(name);
  return object;
}

class RealApiTest : public pilotlight::test::LoopTest {
 protected:
  static std::string run_folder() {
    const char* folder = std::getenv("KRUN");
    return folder == nullptr ? "" : folder;
  }
  void SetUp() override {
    const auto access = config::read_kubeconfig(run_folder() + "/admin.kubeconfig");
    ASSERT_TRUE(access.has_value()) << access.error().front();
    access_ = *access;
    client_ = std::make_unique<Client>(executor(), clock_, access_);
    space_ = "client-" + std::to_string(random_seed() % 100'000'000);
    ASSERT_TRUE(run(client_->create(kNamespaces, "", named(space_), soon())).has_value());
  }
  void TearDown() override {
    for (const auto& watcher : watchers_) watcher->close();
    if (client_) static_cast<void>(run(client_->remove(kNamespaces, "", space_, Json(), soon())));
    run_until([this] { return scope_.size() == 0; });
  }
  using LoopTest::run_until;

  void watch(Watcher::Listener& listener, const Resource& resource) {
    Watcher::What what;
    what.resource = resource;
    what.space = space_;
    watchers_.push_back(
        std::make_unique<Watcher>(*client_, clock_, std::move(what), listener, random_));
    scope_.spawn(watchers_.back()->run());
  }

  static Json slice_of(int i) {
    Json slice = named("slice-" + std::to_string(i));
    slice["metadata"]["labels"]["kubernetes.io/service-name"] = "s" + std::to_string(i);
    slice["addressType"] = "IPv4";
    Json endpoint;
    endpoint["addresses"] = Json::array({"10.89.200.1"});
    endpoint["conditions"]["ready"] = true;
    slice["endpoints"] = Json::array({endpoint});
    return slice;
  }

  /// What fails is tried again until it is there; one whose answer was lost is in conflict by then.
  static Task<> make_slices(Client& client, Clock& clock, std::string space, int first, int last,
                            TimePoint late, int& made) {
    const auto timer = clock.make_timer();
    for (int i = first; i < last && clock.now() < late;) {
      const TimePoint deadline = std::min(late, clock.now() + 10s);
      const auto done = co_await client.create(kEndpointSlices, space, slice_of(i), deadline);
      if (done.has_value() || done.error() == make_error_code(FlowError::conflict)) {
        ++made;
        ++i;
      } else {
        co_await timer->wait_until(clock.now() + 100ms);
      }
    }
  }

  /// run_until() for what takes longer than that allows.
  template <class Predicate>
  void run_until(TimePoint late, Predicate done) {
    while (!done() && clock_.now() < late) loop_.run_one_until(late);
    ASSERT_TRUE(done()) << "did not happen in time";
  }

  Access access_;
  std::string space_;
  std::mt19937_64 random_{7};
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

TEST_F(RealApiTest, AStrangersCertificateIsNotAccepted) {
  Access strict = access_;
  strict.server_name = "kubernetes.example";
  Client wrong_name(executor(), clock_, strict);
  EXPECT_STREQ(run(wrong_name.get(kNamespaces, "", "default", soon())).error().category().name(),
               "tls");
  strict = access_;
  strict.tls = *TlsContext::client("");  // the system's roots do not know this cluster
  Client wrong_ca(executor(), clock_, strict);
  EXPECT_STREQ(run(wrong_ca.get(kNamespaces, "", "default", soon())).error().category().name(),
               "tls");
  strict = access_;
  strict.server_name = "kubernetes.default.svc";  // by name, where the address is not one of its
  Client by_name(executor(), clock_, strict);
  EXPECT_TRUE(run(by_name.get(kNamespaces, "", "default", soon())).has_value());
}

TEST_F(RealApiTest, WritesAreOptimisticAndPatchesOfEachKind) {
  Json made = *run(client_->create(kLeases, space_, named("a"), soon()));
  EXPECT_EQ(run(client_->create(kLeases, space_, named("a"), soon())).error(),
            make_error_code(FlowError::conflict));
  made["spec"]["holderIdentity"] = "x";
  const auto updated = run(client_->update(kLeases, space_, made, soon()));
  ASSERT_TRUE(updated.has_value());
  EXPECT_EQ(run(client_->update(kLeases, space_, made, soon())).error(),
            make_error_code(FlowError::conflict));

  Json patch;
  patch["spec"]["holderIdentity"] = "y";
  patch["metadata"]["resourceVersion"] = resource_version_of(*updated);
  ASSERT_TRUE(run(client_->patch(kLeases, space_, "a", PatchKind::merge, patch, soon())));
  EXPECT_EQ(run(client_->patch(kLeases, space_, "a", PatchKind::merge, patch, soon())).error(),
            make_error_code(FlowError::conflict));
  patch.erase("metadata");
  ASSERT_TRUE(run(client_->patch(kLeases, space_, "a", PatchKind::strategic, patch, soon())));
  Json step;
  step["op"] = "replace";
  step["path"] = "/spec/holderIdentity";
  step["value"] = "z";
  const auto stepped =
      run(client_->patch(kLeases, space_, "a", PatchKind::json, Json::array({step}), soon()));
  ASSERT_TRUE(stepped.has_value());
  EXPECT_EQ(text(*stepped, {"spec", "holderIdentity"}), "z");
}

TEST_F(RealApiTest, ApplyMakesTakesOverAndOwns) {
  Json service = named("web");
  service["apiVersion"] = "v1";
  service["kind"] = "Service";
  service["spec"]["selector"]["app"] = "first";
  Json port;
  port["port"] = 80;
  service["spec"]["ports"] = Json::array({port});
  const auto made =
      run(client_->patch(kServices, space_, "web", PatchKind::apply, service, soon()));
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_EQ(text((*made)["metadata"]["managedFields"][0], {"manager"}), "pilotlight");

  Json theirs;
  theirs["spec"]["selector"]["app"] = "theirs";
  ASSERT_TRUE(run(client_->patch(kServices, space_, "web", PatchKind::merge, theirs, soon())));
  service["spec"]["selector"]["app"] = "ours";
  const auto taken =
      run(client_->patch(kServices, space_, "web", PatchKind::apply, service, soon()));
  ASSERT_TRUE(taken.has_value()) << taken.error().message();
  EXPECT_EQ(text(*taken, {"spec", "selector", "app"}), "ours");
}

TEST_F(RealApiTest, ScalesThroughTheSubresource) {
  Json deployment = named("iris");
  deployment["spec"]["replicas"] = 0;
  deployment["spec"]["selector"]["matchLabels"]["app"] = "iris";
  deployment["spec"]["template"]["metadata"]["labels"]["app"] = "iris";
  Json container;
  container["name"] = "main";
  container["image"] = "none";
  deployment["spec"]["template"]["spec"]["containers"] = Json::array({container});
  ASSERT_TRUE(run(client_->create(kDeployments, space_, deployment, soon())).has_value());
  const auto scaled = run(client_->patch_scale(space_, "iris", 2, soon()));
  ASSERT_TRUE(scaled.has_value()) << scaled.error().message();
  EXPECT_EQ(integer(*scaled, {"spec", "replicas"}), 2);
  EXPECT_EQ(run(client_->patch_scale(space_, "absent", 2, soon())).error(),
            make_error_code(FlowError::not_found));
}

TEST_F(RealApiTest, FiveThousandObjectsComeInPagesAndTakeBoundedMemory) {
  int made = 0;
  const TimePoint late = clock_.now() + 240s;
  constexpr int kWriters = 8;
  for (int w = 0; w < kWriters; ++w) {
    scope_.spawn(make_slices(*client_, clock_, space_, w * kObjects / kWriters,
                             (w + 1) * kObjects / kWriters, late, made));
  }
  run_until(late, [&made] { return made == kObjects; });
  ASSERT_EQ(made, kObjects);

  const std::int64_t before = resident_kib();
  Counter heard;
  watch(heard, kEndpointSlices);
  run_until(clock_.now() + 60s, [&heard] { return heard.syncs > 0; });
  EXPECT_EQ(heard.known, kObjects);
  const std::int64_t grown = resident_kib() - before;
  ::testing::Test::RecordProperty("grown_kib", static_cast<int>(grown));
  std::printf("5,000 EndpointSlices: %lld KiB more\n", static_cast<long long>(grown));
  EXPECT_LE(grown, 40 * 1024);

  Json extra = named("one-more");
  extra["addressType"] = "IPv4";
  extra["endpoints"] = Json::array();
  ASSERT_TRUE(run(client_->create(kEndpointSlices, space_, extra, soon())).has_value());
  run_until([&heard] { return heard.known == kObjects + 1; });
}

}  // namespace
}  // namespace pilotlight::kube
