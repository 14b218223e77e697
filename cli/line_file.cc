#include "cli/line_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/stat.h>

namespace pilotlight::cli {

LineFile::LineFile(const std::string& path)
    : file_(std::fopen(path.c_str(), "re"), [](std::FILE* file) { return std::fclose(file); }) {
  if (file_ == nullptr) error_ = errno;
}

bool LineFile::next(std::string& line) {
  if (file_ == nullptr) return false;
  char* text = nullptr;
  std::size_t room = 0;
  errno = 0;
  const ssize_t size = getline(&text, &room, file_.get());
  if (size < 0 && std::ferror(file_.get()) != 0) error_ = errno;
  const std::unique_ptr<char, void (*)(void*)> owned(text, std::free);
  if (size < 0) return false;
  line.assign(text, static_cast<std::size_t>(size));
  if (line.ends_with('\n')) line.pop_back();
  return true;
}

bool LineFile::is_at(const std::string& path) const {
  struct stat mine {};
  struct stat there {};
  return file_ != nullptr && fstat(fileno(file_.get()), &mine) == 0 &&
         stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

void say_unreadable(const std::string& path, int error) {
  std::fprintf(stderr, "pilotlight: %s: got \"%s\", expected a file of JSON lines\n", path.c_str(),
               std::strerror(error));
}

}  // namespace pilotlight::cli
