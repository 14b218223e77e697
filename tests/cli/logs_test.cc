#include "cli/logs.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

/// A state dir whose `up` has ended: logs and nothing else.
class LogsTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_ / "logs"); }
  void TearDown() override { fs::remove_all(folder_); }

  void log(const std::string& file, const std::string& text) {
    std::ofstream(folder_ / "logs" / file) << text;
  }
  std::string logs(const std::string& service, int expected) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(print_logs(folder_, service, /*follow=*/false), expected);
    refused_ = testing::internal::GetCapturedStderr();
    return testing::internal::GetCapturedStdout();
  }

  fs::path folder_ = fs::temp_directory_path() / ("pilotlight-logs-" + std::to_string(getpid()));
  std::string refused_;
};

TEST_F(LogsTest, WithoutAnUpTheFilesNamesTellWhoseTheyAre) {
  log("iris-00001-deployment-ab1cd.app.log", "of a revision\n");
  log("iris-00001-deployment-ab1cd.sidecar.log", "of its sidecar\n");
  log("iris-x1y2z.app.log", "of a plain Deployment\n");
  log("iris-two-00001-deployment-ab1cd.app.log", "of another service\n");
  log("activator.log", "of nobody's\n");
  const std::string all = logs("iris", 0);
  EXPECT_NE(all.find("[iris-00001-deployment-ab1cd app] of a revision\n"), std::string::npos)
      << all;
  EXPECT_NE(all.find("[iris-00001-deployment-ab1cd sidecar] of its sidecar\n"), std::string::npos);
  EXPECT_NE(all.find("[iris-x1y2z app] of a plain Deployment\n"), std::string::npos);
  EXPECT_EQ(all.find("another"), std::string::npos);
  EXPECT_EQ(all.find("nobody"), std::string::npos);
  EXPECT_EQ(logs("default/iris", 0), all);
}

TEST_F(LogsTest, WithoutAnUpAndWithoutALogItSaysSo) {
  log("iris-00001-deployment-ab1cd.app.log", "of a revision\n");
  EXPECT_EQ(logs("iri", 1), "");
  EXPECT_NE(refused_.find("nothing is running in"), std::string::npos) << refused_;
  EXPECT_NE(refused_.find("\"iri\""), std::string::npos) << refused_;
}

}  // namespace
}  // namespace pilotlight::cli
