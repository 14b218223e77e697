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

TEST(HeadPieces, WhatStandsBeforeAHeadIsNotItsEnd) {
  HeadPieces pieces;
  EXPECT_TRUE(pieces.worth_parsing("\r\n\r\nG"));
  EXPECT_FALSE(pieces.worth_parsing("\r\n\r\nGET "));
  EXPECT_TRUE(pieces.worth_parsing("\r\n\r\n" + kHead));
}

TEST(HeadPieces, AnEmptyLineOfAnyKindIsAnEnd) {  // the parser says which are none
  for (const char* end : {"\r\n\r\n", "\n\n", "\r\n\n", "\n\r\n"}) {
    const std::string all = std::string("GET / HTTP/1.1\r\nHost: a") + end;
    HeadPieces pieces;
    EXPECT_TRUE(pieces.worth_parsing(std::string_view(all).substr(0, 20)));
    EXPECT_FALSE(pieces.worth_parsing(std::string_view(all).substr(0, all.size() - 1)));
    EXPECT_TRUE(pieces.worth_parsing(all)) << all;
  }
}

TEST(HeadPieces, AHeadThatTricklesIsNotReadAgainForEveryPiece) {
  for (const char* piece : {"a:\r\n", "\r\n", "a"}) {
    HeadPieces pieces;
    std::string bytes = *piece == 'a' ? "GET / HTTP/1.1\r\n" : "";
    std::size_t read = 0;
    while (bytes.size() < 65'536) {
      if (pieces.worth_parsing(bytes)) read += bytes.size();
      bytes += piece;
    }
    EXPECT_LE(read, 4 * bytes.size()) << piece;
  }
}

}  // namespace
}  // namespace pilotlight::http
