#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace pilotlight::http {

/// Says when a head that comes in pieces is worth a parse, which begins at its first byte each
/// time. A whole head is parsed at once; one that is wrong is found out when its end has come, or
/// when it has doubled. All parses together read at most four times the bytes of a head, in however
/// many pieces it trickles in.
class HeadPieces {
 public:
  /// @param bytes Everything that has come, from the first byte of the head on; after an answer
  ///              "no" or an unfinished head, the same with more behind it.
  [[nodiscard]] bool worth_parsing(std::string_view bytes) noexcept {
    const bool worth = bytes.size() >= 2 * parsed_ || has_empty_line(bytes, searched_);
    searched_ = bytes.size();
    if (worth) parsed_ = bytes.size();
    return worth;
  }

 private:
  /// Whether an empty line that is not in front of the head ends at `from` or behind it.
  bool has_empty_line(std::string_view bytes, std::size_t from) noexcept {
    while (bytes.substr(begin_).starts_with("\r\n")) begin_ += 2;
    for (std::size_t at = bytes.find('\n', std::max(from, begin_)); at < bytes.size();
         at = bytes.find('\n', at + 1)) {
      const std::string_view before = bytes.substr(0, at);
      if (before.ends_with('\n') || before.ends_with("\n\r")) return true;
    }
    return false;
  }

  std::size_t begin_ = 0;     // of the head, behind empty lines that some clients send before it
  std::size_t parsed_ = 0;    // bytes that a parse has found to be an unfinished head
  std::size_t searched_ = 0;  // for its end
};

}  // namespace pilotlight::http
