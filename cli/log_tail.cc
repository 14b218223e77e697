#include "cli/log_tail.h"

#include <array>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pilotlight::cli {
namespace {

int open_to_read(const std::filesystem::path& path, struct stat& facts) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) fstat(fd, &facts);
  return fd;
}

}  // namespace

LogTail::LogTail(std::filesystem::path path, std::string origin)
    : path_(std::move(path)), prefix_("[" + std::move(origin) + "] ") {}

std::string LogTail::more() {
  std::string out;
  struct stat facts {};
  const int fd = open_to_read(path_, facts);
  if (fd < 0) return out;
  if (facts.st_ino != inode_) {
    struct stat old {};
    const int full = open_to_read(path_.string() + ".1", old);
    if (full >= 0 && (inode_ == 0 || old.st_ino == inode_)) read(full, out);
    if (full >= 0) close(full);
    inode_ = facts.st_ino;
    offset_ = 0;
  } else if (facts.st_size < offset_) {
    offset_ = 0;
  }
  read(fd, out);
  close(fd);
  return out;
}

std::string LogTail::unfinished() {
  std::string out;
  if (!rest_.empty()) take("\n", out);
  return out;
}

void LogTail::read(int fd, std::string& out) {
  std::array<char, 65536> buffer;
  for (ssize_t n = 0; (n = pread(fd, buffer.data(), buffer.size(), offset_)) > 0;) {
    offset_ += n;
    take(std::string_view(buffer.data(), static_cast<std::size_t>(n)), out);
  }
}

void LogTail::take(std::string_view bytes, std::string& out) {
  for (std::size_t end = 0; (end = bytes.find('\n')) != std::string_view::npos;) {
    out.append(prefix_).append(rest_).append(bytes.substr(0, end + 1));
    rest_.clear();
    bytes.remove_prefix(end + 1);
  }
  rest_ += bytes;
}

}  // namespace pilotlight::cli
