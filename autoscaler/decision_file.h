#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/line_sink.h"

namespace pilotlight::autoscaler {

/// The decisions on disk, one JSON object a line, for `pilotlight explain` and for later.
///
/// Crash-safe: every line is one appending write, so that only the last one can be cut short; the
/// next start ends it, and readers skip what is not JSON. A file that has reached its bound becomes
/// `<path>.1` in place of the one before: at most twice the bound is on disk, and where it cannot
/// be renamed lines are lost rather than the bound. Writes block, for as long as the page cache
/// takes; nothing is synced. A disk that fails costs lines, never decisions.
///
/// The path "-" is standard output, where a cluster keeps a bounded log for us: such lines are
/// queued, and dropped where nobody reads them.
class DecisionFile {
 public:
  static constexpr std::uint64_t kMostBytes = 8 * 1024 * 1024;

  /// Opens at the first line; "" keeps nothing.
  explicit DecisionFile(std::string path, std::uint64_t most_bytes = kMostBytes);
  ~DecisionFile();
  DecisionFile(const DecisionFile&) = delete;
  DecisionFile& operator=(const DecisionFile&) = delete;

  [[nodiscard]] bool wanted() const noexcept { return !path_.empty(); }

  /// Appends one line. @return whether it is in the file, or in the queue for standard output.
  bool append(std::string_view line);

  /// Lines that could not be written.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  bool open();
  [[nodiscard]] bool room_for(std::size_t bytes);
  bool rotate();
  bool write_all(std::string_view bytes);

  std::string path_;
  std::uint64_t most_bytes_;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  int fd_ = -1;
  std::optional<LineSink> output_;
};

}  // namespace pilotlight::autoscaler
