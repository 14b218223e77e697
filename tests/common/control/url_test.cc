#include "common/control/url.h"

#include <gtest/gtest.h>

namespace pilotlight::control {
namespace {

TEST(Url, DecodesWhatIsEncodedAndKeepsWhatIsNot) {
  EXPECT_EQ(percent_decode("a%2Fb%20c"), "a/b c");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(Url, EncodingIsUndoneByDecoding) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(every_byte)), every_byte);
  EXPECT_EQ(percent_encode("a/b=c d"), "a%2Fb%3Dc%20d");
}

TEST(Url, QueryIsAMapOfDecodedNamesAndValues) {
  const auto query = parse_query("labelSelector=a%3Db%2Cc&watch=true&flag&&x=1=2&y=a+b");
  const std::map<std::string, std::string> expected = {
      {"labelSelector", "a=b,c"}, {"watch", "true"}, {"flag", ""}, {"x", "1=2"}, {"y", "a b"}};
  EXPECT_EQ(query, expected);
  EXPECT_TRUE(parse_query("").empty());
}

}  // namespace
}  // namespace pilotlight::control
