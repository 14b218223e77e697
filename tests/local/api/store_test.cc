#include "local/api/store.h"

#include <gtest/gtest.h>

#include "tests/local/api/objects.h"

namespace pilotlight::local {
namespace {

using kube::kDeployments;
using kube::kNamespaces;
using kube::kPods;

class StoreTest : public ::testing::Test {
 protected:
  Json must(const Stored& stored) {
    EXPECT_TRUE(stored.has_value()) << (stored ? "" : stored.error().message);
    return stored ? **stored : Json();
  }
  std::string refusal(const Stored& stored) {
    if (stored) return "";
    return std::to_string(stored.error().code) + " " + stored.error().reason;
  }
  /// "ADDED name", ... of everything that happens from now on.
  void record() {
    recorder_ = store_.subscribe([this](const Change& change) {
      const char* type = change.type == Change::Type::added      ? "ADDED "
                         : change.type == Change::Type::modified ? "MODIFIED "
                                                                 : "DELETED ";
      heard_.push_back(type + std::string(kube::name_of(*change.object)));
    });
  }

  ApiStore store_{42, 1000};
  std::vector<std::string> heard_;
  ApiStore::Subscription recorder_;
};

TEST_F(StoreTest, CreateFillsInWhatTheServerKeeps) {
  const Json made = must(store_.create(kDeployments, test::deployment("iris")));
  EXPECT_EQ(made["kind"], "Deployment");
  EXPECT_EQ(made["apiVersion"], "apps/v1");
  EXPECT_EQ(kube::namespace_of(made), "default");
  EXPECT_EQ(kube::resource_version_of(made), std::to_string(store_.version()));
  EXPECT_EQ(kube::text(made, {"metadata", "uid"}).size(), 36u);
  EXPECT_EQ(kube::text(made, {"metadata", "creationTimestamp"}).size(), 20u);
  EXPECT_EQ(made["metadata"]["generation"], 1);
  EXPECT_EQ(*store_.find(kDeployments, "default", "iris"), made);
}

TEST_F(StoreTest, DefaultNamespaceIsThereAndOthersAppearWithTheirFirstObject) {
  EXPECT_TRUE(store_.find(kNamespaces, "", "default"));
  Json object = test::deployment("iris");
  object["metadata"]["namespace"] = "models";
  must(store_.create(kDeployments, object));
  EXPECT_TRUE(store_.find(kNamespaces, "", "models"));
  EXPECT_EQ(store_.list(kDeployments, "models").size(), 1u);
  EXPECT_EQ(store_.list(kDeployments, "model").size(), 0u);
  EXPECT_EQ(store_.list(kDeployments, "").size(), 1u);
}

TEST_F(StoreTest, GenerateNameMakesDifferentNames) {
  Json object = test::pod("");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "iris-";
  const Json first = must(store_.create(kPods, object));
  const Json second = must(store_.create(kPods, object));
  EXPECT_EQ(kube::name_of(first).size(), 10u);
  EXPECT_NE(kube::name_of(first), kube::name_of(second));
}

TEST_F(StoreTest, RefusesWhatKubernetesRefuses) {
  must(store_.create(kDeployments, test::deployment("iris")));
  EXPECT_EQ(refusal(store_.create(kDeployments, test::deployment("iris"))), "409 AlreadyExists");
  EXPECT_EQ(refusal(store_.update(kDeployments, test::deployment("none"))), "404 NotFound");
  EXPECT_EQ(refusal(store_.remove_now(kPods, "default", "none")), "404 NotFound");
  EXPECT_EQ(refusal(store_.scale("default", "iris", -1)), "422 Invalid");
  EXPECT_EQ(refusal(store_.create(kDeployments, test::deployment("Bad_Name"))), "422 Invalid");

  Json other = test::deployment("other");
  other["spec"]["template"]["metadata"]["labels"]["app"] = "somebody";
  other["spec"]["replicas"] = "many";
  const Stored stored = store_.create(kDeployments, other);
  ASSERT_FALSE(stored.has_value());
  EXPECT_EQ(stored.error().causes.size(), 2u) << "all problems at once";
  EXPECT_EQ(stored.error().to_json()["details"]["kind"], "Deployment");
  Json missing = test::deployment("missing");
  missing["spec"].erase("selector");
  EXPECT_EQ(refusal(store_.create(kDeployments, missing)), "422 Invalid");
}

TEST_F(StoreTest, StaleVersionIsAConflictAndNoVersionIsNot) {
  const Json first = must(store_.create(kDeployments, test::deployment("iris")));
  Json second = first;
  second["spec"]["replicas"] = 2;
  must(store_.update(kDeployments, second));
  Json third = first;
  third["spec"]["replicas"] = 3;
  EXPECT_EQ(refusal(store_.update(kDeployments, third)), "409 Conflict");
  third["metadata"].erase("resourceVersion");
  EXPECT_EQ(must(store_.update(kDeployments, third))["spec"]["replicas"], 3);
}

TEST_F(StoreTest, GenerationCountsChangesOfTheSpecOnly) {
  Json object = must(store_.create(kDeployments, test::deployment("iris")));
  object["metadata"]["labels"]["new"] = "label";
  object["status"]["replicas"] = 7;
  object = must(store_.update(kDeployments, object));
  EXPECT_EQ(object["metadata"]["generation"], 1);
  EXPECT_FALSE(object.contains("status")) << "only the subresource writes the status";
  object = must(store_.scale("default", "iris", 5));
  EXPECT_EQ(object["metadata"]["generation"], 2);
  Json status;
  status["replicas"] = 5;
  object = must(store_.set_status(kDeployments, "default", "iris", status));
  EXPECT_EQ(object["metadata"]["generation"], 2);
  EXPECT_EQ(object["status"]["replicas"], 5);
  EXPECT_EQ(object["spec"]["replicas"], 5);
}

TEST_F(StoreTest, WriteThatChangesNothingTellsNobody) {
  const Json object = must(store_.create(kDeployments, test::deployment("iris", 1)));
  record();
  EXPECT_EQ(must(store_.scale("default", "iris", 1)), object);
  EXPECT_EQ(must(store_.update(kDeployments, test::deployment("iris", 1))), object);
  EXPECT_TRUE(heard_.empty());
}

TEST_F(StoreTest, PodIsMarkedFirstAndGoneWhenItsProcessesAre) {
  must(store_.create(kPods, test::pod("p")));
  record();
  const Json marked = must(store_.remove(kPods, "default", "p", ApiStore::Removal()));
  EXPECT_EQ(marked["metadata"]["deletionGracePeriodSeconds"], 30);
  EXPECT_TRUE(marked["metadata"].contains("deletionTimestamp"));
  must(store_.remove(kPods, "default", "p", ApiStore::Removal()));
  EXPECT_TRUE(store_.find(kPods, "default", "p"));
  must(store_.remove_now(kPods, "default", "p"));
  EXPECT_FALSE(store_.find(kPods, "default", "p"));
  const std::vector<std::string> expected = {"MODIFIED p", "DELETED p"};
  EXPECT_EQ(heard_, expected);
}

TEST_F(StoreTest, NamespaceInUseStays) {
  Json object = test::pod("p");
  object["metadata"]["namespace"] = "models";
  must(store_.create(kPods, object));
  EXPECT_EQ(refusal(store_.remove_now(kNamespaces, "", "models")), "403 Forbidden");
  EXPECT_EQ(refusal(store_.remove_now(kNamespaces, "", "default")), "403 Forbidden");
  must(store_.remove_now(kPods, "models", "p"));
  must(store_.remove_now(kNamespaces, "", "models"));
}

TEST_F(StoreTest, NumberOfObjectsIsBounded) {
  Json object = test::pod("");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "p-";
  while (store_.list(kPods, "").size() < 9999) {  // and the namespace
    const std::size_t missing = 9999 - store_.list(kPods, "").size();
    for (std::size_t i = 0; i < missing; ++i) static_cast<void>(store_.create(kPods, object));
  }
  EXPECT_EQ(refusal(store_.create(kPods, test::pod("one-more"))), "403 Forbidden");
}

TEST_F(StoreTest, PreconditionsOfADeleteAreKept) {
  const Json made = must(store_.create(kDeployments, test::deployment("iris")));
  ApiStore::Removal how;
  how.uid = "another";
  EXPECT_EQ(refusal(store_.remove(kDeployments, "default", "iris", how)), "409 Conflict");
  how.uid = std::string(kube::text(made, {"metadata", "uid"}));
  must(store_.remove(kDeployments, "default", "iris", how));
}

TEST_F(StoreTest, ListenersHearAllChangesInOrderAlsoThoseMadeWhileListening) {
  const auto reacting = store_.subscribe([this](const Change& change) {
    if (change.type == Change::Type::added && change.resource == kDeployments) {
      must(store_.create(kPods, test::pod("made-by-listener")));
    }
  });
  record();
  must(store_.create(kDeployments, test::deployment("iris")));
  const std::vector<std::string> expected = {"ADDED iris", "ADDED made-by-listener"};
  EXPECT_EQ(heard_, expected);
}

TEST_F(StoreTest, SubscriptionMayEndInsideItsOwnCall) {
  int calls = 0;
  ApiStore::Subscription once = store_.subscribe([&](const Change&) {
    ++calls;
    once = ApiStore::Subscription();
  });
  must(store_.create(kPods, test::pod("a")));
  must(store_.create(kPods, test::pod("b")));
  EXPECT_EQ(calls, 1);
}

TEST_F(StoreTest, HistoryReachesBackAThousandChanges) {
  const std::uint64_t before = store_.version();
  must(store_.create(kDeployments, test::deployment("iris", 0)));
  for (int i = 1; i < 1000; ++i) must(store_.scale("default", "iris", i % 2));
  ASSERT_EQ(store_.version(), before + 1000);
  auto changes = store_.changes_after(before, 5000);
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->size(), 1000u);
  EXPECT_EQ(changes->front().type, Change::Type::added);
  EXPECT_EQ(changes->front().version, before + 1);
  EXPECT_EQ(store_.changes_after(before + 990, 3)->front().version, before + 991);
  EXPECT_EQ(store_.changes_after(before, 3)->size(), 3u);

  must(store_.scale("default", "iris", 9));
  EXPECT_FALSE(store_.changes_after(before, 1)) << "one more than the history holds";
  EXPECT_TRUE(store_.changes_after(before + 1, 1));
  EXPECT_TRUE(store_.changes_after(store_.version(), 1)->empty());
  EXPECT_FALSE(store_.changes_after(store_.version() + 1, 1)) << "from the future";
  EXPECT_FALSE(store_.changes_after(1, 1)) << "before this store's first version";
}

}  // namespace
}  // namespace pilotlight::local
