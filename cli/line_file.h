#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include <sys/types.h>

namespace pilotlight::cli {

/// A file that is read line by line, and that says what went wrong: a stream takes a folder, or
/// what it may not read, for an empty file.
class LineFile {
 public:
  explicit LineFile(const std::string& path);

  /// @return false at the end, or when it cannot be read.
  [[nodiscard]] bool next(std::string& line);

  /// errno of what went wrong; 0 when nothing did.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// Whether it is what has that path now.
  [[nodiscard]] bool is_at(const std::string& path) const;

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  int error_ = 0;
};

/// `pilotlight: FILE: got WHY, expected a file of JSON lines`, on standard error.
void say_unreadable(const std::string& path, int error);

}  // namespace pilotlight::cli
