#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::cli {

/// How far a container's log has been read, by the timestamps that the kubelet puts before its
/// lines, so that a log that broke goes on where it was. Pure.
class LogPlace {
 public:
  /// The line without its timestamp; none when it was there before the log was asked for again. A
  /// line without a timestamp is new.
  [[nodiscard]] std::optional<std::string_view> take(std::string_view line);

  /// The log is asked for again. @return from when on: the whole second of the last line, since the
  /// API server knows no parts of one; "" when there was no line.
  [[nodiscard]] std::string resume();

 private:
  std::string last_;            // timestamp of the newest line, of a fixed length
  std::size_t lines_ = 0;       // that have it
  std::size_t seen_again_ = 0;  // of those, since the log was asked for again
  bool resumed_ = false;
};

}  // namespace pilotlight::cli
