#include "autoscaler/decision_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"

namespace pilotlight::autoscaler {

DecisionFile::DecisionFile(std::string path, std::uint64_t most_bytes)
    : path_(std::move(path)), most_bytes_(most_bytes) {
  if (path_ == "-") output_.emplace(STDOUT_FILENO);
}

DecisionFile::~DecisionFile() {
  if (fd_ >= 0) close(fd_);
}

bool DecisionFile::append(std::string_view line) {
  if (output_) {
    const bool queued = output_->offer(line);
    if (!queued) ++lost_;
    return queued;
  }
  std::string bytes(line);
  bytes += '\n';
  const bool done = room_for(bytes.size()) && write_all(bytes);
  if (!done && lost_++ == 0) {
    log_warn("a line is lost", {{"file", path_}, {"error", std::strerror(errno)}});
  }
  return done;
}

bool DecisionFile::room_for(std::size_t bytes) {
  if (fd_ < 0 && !open()) return false;
  if (bytes_ == 0 || bytes_ + bytes <= most_bytes_) return true;
  return rotate() && open();
}

bool DecisionFile::open() {
  // Readable too: whether the last line was finished is in the file.
  fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return false;
  struct stat facts {};
  fstat(fd_, &facts);
  bytes_ = static_cast<std::uint64_t>(facts.st_size);
  char last = '\n';
  if (bytes_ > 0 && pread(fd_, &last, 1, facts.st_size - 1) == 1 && last != '\n') {
    return write_all("\n");
  }
  return true;
}

bool DecisionFile::rotate() {
  // Atomic: a reader sees either. One that somebody has taken away is made anew.
  if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0 && errno != ENOENT) return false;
  close(fd_);
  fd_ = -1;
  return true;
}

bool DecisionFile::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int why = errno;
      close(fd_);  // opened again for the next line, which ends this one
      fd_ = -1;
      errno = why;
      return false;
    }
    bytes_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace pilotlight::autoscaler
