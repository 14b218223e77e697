#include "cli/service_name.h"

#include <gtest/gtest.h>

namespace pilotlight::cli {
namespace {

TEST(ServiceName, IsANameWithOrWithoutItsNamespace) {
  for (const char* good : {"iris", "team/iris", "a", "a1-b.c"}) {
    EXPECT_FALSE(wrong_service(good)) << good;
  }
  for (const char* bad : {"", "/", "a/b/c", "../x", "team/", "/iris", "Iris", "a,b", "-a", "a-"}) {
    EXPECT_TRUE(wrong_service(bad)) << bad;
  }
  EXPECT_EQ(wrong_service("../x"), "service: got \"../x\", expected NAME or NAMESPACE/NAME");
}

}  // namespace
}  // namespace pilotlight::cli
