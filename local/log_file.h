#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::local {

/// A log file that never takes more than twice `limit_bytes`: when it is full it becomes
/// `<name>.1`, replacing the one before, and a new one begins. Remembers the last 20 lines, each
/// cut at 1 KiB. A disk that takes no more loses lines, not the program. Descriptors: one. Not
/// thread-safe.
class LogFile {
 public:
  static constexpr std::size_t kLinesKept = 20;
  static constexpr std::size_t kLineLimit = 1024;

  explicit LogFile(std::filesystem::path path, std::uint64_t limit_bytes = 1 << 20);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void append(std::string_view bytes);

  /// The last lines, oldest first, at most `count`; an unfinished one is the last.
  [[nodiscard]] std::vector<std::string> last_lines(std::size_t count) const;

  /// From now on last_lines() knows only what comes after this: a new run of the process began.
  void forget_lines();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void open_fresh();
  void remember(std::string_view bytes);

  std::filesystem::path path_;
  std::uint64_t limit_bytes_;
  std::uint64_t written_ = 0;
  int fd_ = -1;
  std::deque<std::string> lines_;
  bool line_open_ = false;  // the newest line has no newline yet
};

}  // namespace pilotlight::local
