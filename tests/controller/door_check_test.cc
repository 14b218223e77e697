#include "controller/door_check.h"

#include <functional>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::controller {
namespace {

using namespace std::chrono_literals;

Task<Result<>> answer(Result<> given) { co_return given; }

Task<> ask(DoorCheck& doors, std::string ip, std::uint16_t port, std::optional<bool>& told) {
  told = co_await doors.open(std::move(ip), port);
}

class DoorCheckTest : public testing::Test {
 protected:
  bool open(const char* ip, std::uint16_t port) {
    std::optional<bool> told;
    scope.spawn(ask(doors, ip, port, told));
    clock.settle();
    return told.value();
  }

  asio::io_context loop{1};
  test::SimClock clock{loop};
  Scope scope{loop.get_executor()};
  Result<> dialled;  // what comes of it
  std::function<void()> meanwhile;
  std::vector<std::uint16_t> tried;
  DoorCheck doors{clock, [this](tcp::endpoint where, TimePoint) {
                    tried.push_back(where.port());
                    if (meanwhile) meanwhile();
                    return answer(dialled);
                  }};
};

TEST_F(DoorCheckTest, AnOpenPortIsTriedOnce) {
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_EQ(tried.size(), 1U);
  EXPECT_TRUE(open("10.0.0.3", 20001));
  EXPECT_EQ(tried.size(), 2U) << "each activator for itself";
  doors.forget(20001);
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_EQ(tried.size(), 3U);
  doors.keep({"10.0.0.3"});
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_EQ(tried.size(), 4U) << "another one may have its address now";
}

TEST_F(DoorCheckTest, APortThatIsGivenUpWhileItIsTriedIsTriedAgain) {
  meanwhile = [this] { doors.forget(20001); };
  EXPECT_TRUE(open("10.0.0.2", 20001));
  meanwhile = nullptr;
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_EQ(tried.size(), 2U);
}

TEST_F(DoorCheckTest, AClosedPortIsTriedEveryTime) {
  dialled = make_error_code(FlowError::upstream_refused);
  EXPECT_FALSE(open("10.0.0.2", 20001));
  EXPECT_FALSE(open("10.0.0.2", 20001));
  EXPECT_EQ(tried.size(), 2U) << "it opens when it has heard of the Service";
  EXPECT_FALSE(open("no address", 20001));
  EXPECT_EQ(tried.size(), 2U);
}

TEST_F(DoorCheckTest, ASilentActivatorIsTriedOnceASecondForAllServices) {
  dialled = make_error_code(FlowError::deadline_exceeded);
  for (std::uint16_t port = 20000; port < 20100; ++port) EXPECT_FALSE(open("10.0.0.2", port));
  EXPECT_EQ(tried, std::vector<std::uint16_t>{20000});
  dialled = Result<>();
  EXPECT_TRUE(open("10.0.0.3", 20000)) << "the others do not wait for it";
  clock.advance(1s);
  EXPECT_TRUE(open("10.0.0.2", 20001));
  EXPECT_TRUE(open("10.0.0.2", 20002)) << "it is back";
}

}  // namespace
}  // namespace pilotlight::controller
