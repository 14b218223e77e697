// Feeds arbitrary bytes to the wire protocol's decoder.
//
// Beyond "does not crash": what decodes encodes again to the same bytes, but for the flags and
// reserved bits and an unknown tail, which are cleared and cut; and a stream gives the same frames
// however it is cut into pieces.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "common/wire/codec.h"

namespace {

using namespace pilotlight;
using namespace pilotlight::wire;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_one(std::span<const std::byte> input) {
  const Result<Frame> frame = decode(input);
  if (frame.has_error()) return;
  const Result<Bytes> again = encode(*frame);
  require(again.has_value());
  require(again->size() <= input.size());
  require((*again)[4] == input[4]);
  require(std::equal(again->begin() + kHeaderSize, again->end(), input.begin() + kHeaderSize));
  const Result<Frame> back = decode(*again);
  require(back.has_value() && *back == *frame);
}

struct Outcome {
  std::vector<Frame> frames;
  ErrorCode error;
};

Outcome read_in_pieces(std::span<const std::byte> input, std::size_t piece) {
  FrameReader reader;
  Outcome outcome;
  for (std::size_t at = 0; at < input.size() && !outcome.error; at += piece) {
    reader.feed(input.subspan(at, std::min(piece, input.size() - at)));
    for (;;) {
      Result<std::optional<Frame>> next = reader.next();
      if (next.has_error()) outcome.error = next.error();
      if (next.has_error() || !next->has_value()) break;
      outcome.frames.push_back(std::move(**next));
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  check_one(input);
  const Outcome whole = read_in_pieces(input, std::max<std::size_t>(size, 1));
  const Outcome pieces = read_in_pieces(input, 7);
  require(whole.frames == pieces.frames);
  require(whole.error == pieces.error);
  return 0;
}
