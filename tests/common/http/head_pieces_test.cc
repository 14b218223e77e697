#include "common/http/head_pieces.h"

#include <string>

#include <gtest/gtest.h>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

const std::string kHead = "GET /a HTTP/1.1\r\nHost: a\r\nX-Some: thing\r\n\r\n";

TEST(HeadPieces, AWholeHeadIsParsedAtOnce) {
  HeadPieces pieces;
  EXPECT_TRUE(pieces.worth_parsing(kHead));
}

TEST(HeadPieces, AHeadIsParsedWithItsLastByteWhereverItIsCut) {
  for (std::size_t cut = 0; cut < kHead.size(); ++cut) {
    HeadPieces pieces;
    static_cast<void>(pieces.worth_parsing(std::string_view(kHead).substr(0, cut)));
    EXPECT_TRUE(pieces.worth_parsing(kHead)) << cut;
    HeadPieces bytes;
    for (std::size_t size = cut; size < kHead.size(); ++size) {
      static_cast<void>(bytes.worth_parsing(std::string_view(kHead).substr(0, size)));
    }
    EXPECT_TRUE(bytes.worth_parsing(kHead + "GET")) << cut << " and the next one with it";
  }
}

TEST(HeadPieces, WhereTheParserFindsAHeadItIsAsked) {
  for (const char* text : {"GET / HTTP/1.1\nHost: a\n\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a\r\n\n"}) {
    const std::string all(text);
    HeadPieces pieces;
    for (std::size_t size = 0; size <= all.size(); ++size) {
      const std::string_view bytes = std::string_view(all).substr(0, size);
      RequestHead head;
      const Result<std::size_t> used = parse_request(bytes, head);
      const bool asked = pieces.worth_parsing(bytes);
      const bool whole = used && *used > 0;
      EXPECT_TRUE(asked || !whole) << all << " of size " << size;
    }
  }
}

TEST(HeadPieces, AHeadThatTricklesIsNotReadAgainForEveryLine) {
  HeadPieces pieces;
  std::string bytes = "GET / HTTP/1.1\r\n";
  std::size_t read = 0;
  while (bytes.size() < 65'536) {
    if (pieces.worth_parsing(bytes)) read += bytes.size();
    bytes += "a:\r\n";
  }
  EXPECT_LE(read, 4 * bytes.size());
}

}  // namespace
}  // namespace pilotlight::http
