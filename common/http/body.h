#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/error.h"
#include "common/http/head.h"

namespace pilotlight::http {

/// Finds the end of one message body in the bytes of its connection, without copying any.
///
/// Chunked bodies pass as they came, extensions and trailers included, so that a proxy forwards
/// them byte for byte; the scanner is strict (RFC 9112, section 7.1: hexadecimal sizes of at most
/// 16 digits, CRLF only, no control bytes, no framing or Host in trailers) and accepts a piece that
/// ends anywhere. Pure, allocates nothing.
class BodyScanner {
 public:
  BodyScanner() = default;
  explicit BodyScanner(const Head& head) noexcept
      : framing_(head.framing),
        left_(head.content_length),
        done_(head.framing == Framing::none ||
              (head.framing == Framing::length && head.content_length == 0)) {}

  /// Takes as many of `bytes` as belong to the body.
  /// @return how many, or bad_message. done() tells whether the body is complete.
  [[nodiscard]] Result<std::size_t> scan(std::string_view bytes) noexcept;

  /// The same, for a peer that cannot read chunks: takes framing off the front of `bytes`, then one
  /// run of payload. @return the bytes taken; `payload` is the run within them, maybe empty.
  [[nodiscard]] Result<std::size_t> scan_payload(std::string_view bytes,
                                                 std::string_view& payload) noexcept;

  [[nodiscard]] bool done() const noexcept { return done_; }
  [[nodiscard]] Framing framing() const noexcept { return framing_; }
  /// Payload taken so far; kept only for a body that announced no length.
  [[nodiscard]] std::uint64_t payload() const noexcept { return payload_; }

 private:
  enum class State : std::uint8_t {
    size_first,  // the first digit of a chunk size
    size,        // further digits
    extension,   // `;...` up to CR
    size_lf,     // the LF behind a size
    data,        // left_ bytes of payload
    data_cr,     // CRLF behind the payload
    data_lf,
    trailer_start,  // the first byte of a trailer's name, or the final CR
    trailer_name,   // up to the colon
    trailer,        // its value
    trailer_lf,
    final_lf,
  };

  [[nodiscard]] Result<> step(char c) noexcept;
  [[nodiscard]] Result<> size_digit(char c) noexcept;
  [[nodiscard]] Result<> size_ended(char c) noexcept;
  [[nodiscard]] Result<> text(char c, State behind) noexcept;
  [[nodiscard]] Result<> trailer_name(char c) noexcept;

  Framing framing_ = Framing::none;
  State state_ = State::size_first;
  std::uint64_t left_ = 0;
  std::uint64_t payload_ = 0;
  std::uint32_t line_ = 0;   // bytes of extensions and trailers so far
  std::uint8_t digits_ = 0;  // of the present chunk size
  std::uint8_t name_size_ = 0;
  std::array<char, 18> name_{};  // the trailer's name, as far as the forbidden ones are long
  bool done_ = true;
};

}  // namespace pilotlight::http
