#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace pilotlight::cli {

/// Reads one log from where it was read last, also when it has become `<path>.1` meanwhile and a
/// new file has its name (local/log_file.h). What was lost to a second such change stays lost.
class LogTail {
 public:
  /// @param origin what stands before each line, in brackets.
  LogTail(std::filesystem::path path, std::string origin);

  /// The lines that were ended since the last call, whatever bytes are in them.
  [[nodiscard]] std::string more();

  /// What follows the last end of a line, as a line; "" if nothing does. The next more() begins
  /// after it.
  [[nodiscard]] std::string unfinished();

 private:
  void read(int fd, std::string& out);
  void take(std::string_view bytes, std::string& out);

  std::filesystem::path path_;
  std::string prefix_;
  ino_t inode_ = 0;  ///< Of the file that was read last; 0 before the first.
  off_t offset_ = 0;
  std::string rest_;
};

}  // namespace pilotlight::cli
