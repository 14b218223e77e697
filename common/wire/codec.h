#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "common/base/error.h"
#include "common/wire/frames.h"

namespace pilotlight::wire {

using Bytes = std::vector<std::byte>;

/// Why bytes are not a frame.
enum class DecodeError {
  truncated = 1,  ///< Fewer bytes than a header, or than the header announces.
  oversized,      ///< A payload above kMaxPayload.
  length,         ///< More bytes than the header announces.
  short_payload,  ///< The payload ends inside a field.
  bad_magic,      ///< HELLO without the magic.
  bad_value,      ///< A role, class, state, flag or cause count that does not exist.
  bad_utf8,       ///< A string that is not UTF-8.
  unknown_type,   ///< A frame type of another version. Not a mistake of the peer: skip it.
};

[[nodiscard]] ErrorCode make_error_code(DecodeError error) noexcept;

/// u32 payload length, u8 type, u8 flags, u16 reserved.
inline constexpr std::size_t kHeaderSize = 8;

/// The bytes of a frame. The only error is DecodeError::oversized: a set of replicas or a string
/// that does not fit. Strings that are not UTF-8 are a caller's bug.
[[nodiscard]] Result<Bytes> encode(const Frame& frame);

/// Total: every byte string is a frame or a DecodeError, and no byte of it is trusted.
///
/// Flags and reserved bits, and payload beyond the fields known here, are ignored. So
/// encode(decode(x)) is x with those bits cleared and that tail cut (its length lowered), and is x
/// itself when x has neither.
[[nodiscard]] Result<Frame> decode(std::span<const std::byte> bytes);

/// Cuts a stream of bytes into frames. Feed what arrived, then take frames until there is none.
/// Holds at most one frame's bytes beyond what was fed last. Frames of unknown type are skipped and
/// counted. After an error it stays in error: end the connection.
class FrameReader {
 public:
  void feed(std::span<const std::byte> bytes);

  /// The next frame; none when more bytes are needed.
  [[nodiscard]] Result<std::optional<Frame>> next();

  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }

 private:
  Bytes buffer_;
  std::size_t begin_ = 0;  // bytes before it have been taken
  std::uint64_t skipped_ = 0;
  ErrorCode failed_;
};

}  // namespace pilotlight::wire

template <>
struct boost::system::is_error_code_enum<pilotlight::wire::DecodeError> : std::true_type {};
