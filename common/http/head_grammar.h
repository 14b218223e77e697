#pragma once

#include <string_view>

#include "common/http/head.h"

/// The characters of a message head (RFC 9110 section 5, RFC 9112 sections 2 to 5), read in place.
namespace pilotlight::http {

/// Walks through the bytes of a head, token by token. A step either takes what the grammar wants
/// and returns ok, or leaves the cursor anywhere and says why not. Every end of line is CRLF.
class HeadCursor {
 public:
  enum class Step : unsigned char {
    ok,
    more,  ///< The bytes end first, and nothing in them is wrong so far.
    bad,
    too_many,  ///< For callers that count.
  };

  explicit HeadCursor(std::string_view bytes) noexcept
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  /// One or more token characters, then `stop`, which is taken too.
  [[nodiscard]] Step token(char stop, std::string_view& found) noexcept;
  /// One or more visible characters (a request target), then a space.
  [[nodiscard]] Step target(std::string_view& found) noexcept;
  /// "HTTP/1.0" or "HTTP/1.1": 10 or 11.
  [[nodiscard]] Step version(unsigned& found) noexcept;
  /// Three digits, 100 to 999.
  [[nodiscard]] Step status(unsigned& found) noexcept;
  /// One space.
  [[nodiscard]] Step space() noexcept;
  /// CRLF and nothing else.
  [[nodiscard]] Step end_of_line() noexcept;
  /// The rest of a status line: CRLF, maybe behind a space and a reason phrase.
  [[nodiscard]] Step reason() noexcept;
  /// Everything up to CRLF, which is taken too, without the white space around it. Control
  /// characters other than a tab are bad.
  [[nodiscard]] Step rest_of_line(std::string_view& found) noexcept;
  /// Nothing but CRLF. `empty` says whether that was here; it is no error when it was not.
  [[nodiscard]] Step empty_line(bool& empty) noexcept;

  /// How many bytes have been taken.
  [[nodiscard]] std::size_t taken() const noexcept {
    return static_cast<std::size_t>(at_ - begin_);
  }

 private:
  [[nodiscard]] Step word(std::string_view expected) noexcept;

  const char* begin_;
  const char* at_;
  const char* end_;
};

/// Whether all of `text`, which is not empty, are token characters (RFC 9110, section 5.6.2).
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// Which of the fields of interest `name` is, ignoring case.
[[nodiscard]] FieldKind field_kind(std::string_view name) noexcept;

/// ASCII case-insensitive equality.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

}  // namespace pilotlight::http
