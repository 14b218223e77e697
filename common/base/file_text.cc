#include "common/base/file_text.h"

#include <cerrno>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

namespace pilotlight {
namespace {

constexpr std::size_t kMost = 64 * 1024 * 1024;
constexpr std::size_t kPiece = 64 * 1024;

std::optional<std::string> read_all(int fd) {
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(before + kPiece);
    const ssize_t got = ::read(fd, text.data() + before, kPiece);
    text.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return std::nullopt;
    if (text.size() > kMost) {
      errno = EFBIG;
      return std::nullopt;
    }
  }
}

}  // namespace

std::optional<std::string> file_text(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> text = read_all(fd);
  const int why = errno;
  ::close(fd);
  errno = why;
  return text;
}

}  // namespace pilotlight
