#include "local/log_file.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace pilotlight::local {

LogFile::LogFile(std::filesystem::path path, std::uint64_t limit_bytes)
    : path_(std::move(path)), limit_bytes_(limit_bytes) {
  open_fresh();
}

LogFile::~LogFile() {
  if (fd_ >= 0) close(fd_);
}

void LogFile::open_fresh() {
  if (fd_ >= 0) close(fd_);
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  written_ = 0;
}

void LogFile::append(std::string_view bytes) {
  remember(bytes);
  if (written_ + bytes.size() > limit_bytes_ && written_ > 0) {
    std::error_code ignored;
    std::filesystem::rename(path_, path_.string() + ".1", ignored);
    open_fresh();
  }
  if (fd_ < 0) return;
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n <= 0) return;
    written_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void LogFile::remember(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!line_open_) lines_.emplace_back();
    std::string& line = lines_.back();
    line.append(piece.substr(0, kLineLimit - std::min(kLineLimit, line.size())));
    line_open_ = end == std::string_view::npos;
    bytes.remove_prefix(line_open_ ? bytes.size() : end + 1);
    if (lines_.size() > kLinesKept) lines_.pop_front();
  }
}

std::vector<std::string> LogFile::last_lines(std::size_t count) const {
  const std::size_t n = std::min(count, lines_.size());
  return {lines_.end() - static_cast<std::ptrdiff_t>(n), lines_.end()};
}

void LogFile::forget_lines() {
  lines_.clear();
  line_open_ = false;
}

}  // namespace pilotlight::local
