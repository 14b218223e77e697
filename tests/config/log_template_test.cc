#include "config/log_template.h"

#include <gtest/gtest.h>

namespace pilotlight::config {
namespace {

using Field = LogPiece::Field;

LogTemplate parsed(std::string_view text) {
  auto result = parse_log_template(text);
  if (result) return *result;
  for (const std::string& problem : result.error()) ADD_FAILURE() << problem;
  return {};
}

LogPiece piece(Field field, bool escaped = false, std::string text = "") {
  LogPiece made;
  made.field = field;
  made.escaped = escaped;
  made.text = std::move(text);
  return made;
}

TEST(LogTemplate, TextAndFieldsComeInOrder) {
  EXPECT_EQ(parsed("a {{.Request.Method}}{{ .Response.Code }} b"),
            (LogTemplate{piece(Field::literal, false, "a "), piece(Field::request_method),
                         piece(Field::response_code), piece(Field::literal, false, " b")}));
  EXPECT_TRUE(parsed("").empty());
}

TEST(LogTemplate, JsComesBeforeOrBehindAPipe) {
  const LogTemplate wanted{piece(Field::request_uri, true)};
  EXPECT_EQ(parsed("{{js .Request.RequestURI}}"), wanted);
  EXPECT_EQ(parsed("{{.Request.RequestURI | js}}"), wanted);
  EXPECT_EQ(parsed("{{.Request.RequestURI|js}}"), wanted);
}

TEST(LogTemplate, AnyHeaderIsReachedByName) {
  EXPECT_EQ(parsed(R"({{index .Request.Header "X-B3-Traceid"}})"),
            LogTemplate{piece(Field::request_header, false, "X-B3-Traceid")});
  EXPECT_EQ(parsed(R"({{js (.Request.Header.Get "X-Id")}})"),
            LogTemplate{piece(Field::request_header, true, "X-Id")});
}

TEST(LogTemplate, KnativesDefaultIsUnderstood) {
  const LogTemplate pieces = parsed(kDefaultLogTemplate);
  std::size_t fields = 0;
  for (const LogPiece& one : pieces) fields += one.field == Field::literal ? 0 : 1;
  EXPECT_EQ(fields, 12U);
}

TEST(LogTemplate, WhatIsBeyondThePartThatIsSupportedIsQuoted) {
  for (const char* action : {"{{if .Request.TLS}}", "{{end}}", "{{.Request.Nonsense}}",
                             "{{printf \"%s\" .Request.Method}}", "{{.Request.Method | html}}",
                             "{{}}", "{{index .Request.Header 1}}"}) {
    const auto result = parse_log_template(action);
    ASSERT_FALSE(result) << action;
    EXPECT_EQ(result.error().size(), 1U) << action;
    EXPECT_TRUE(result.error().front().ends_with(
        ", expected a field of .Request, .Response or .Revision, or .TraceID, alone or with js"));
  }
  const auto open = parse_log_template("x {{.Request.Method");
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().front(), "got \"{{.Request.Method\", expected }} behind it");
}

}  // namespace
}  // namespace pilotlight::config
