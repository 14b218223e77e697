#include "cli/logs.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

/// One file that is being printed: how far, and the line that is not finished.
struct Tail {
  std::string origin;
  ino_t inode = 0;
  off_t offset = 0;
  std::string rest;
};

/// "<deployment>-xxxxx.app.log" -> "<deployment>-xxxxx app"; "" when it is no log of it.
std::string origin_of(const std::string& file, const std::string& deployment) {
  constexpr std::string_view kEnd = ".log";
  const bool mine = file.starts_with(deployment + "-") && file.ends_with(kEnd);
  if (!mine) return {};
  std::string name = file.substr(0, file.size() - kEnd.size());
  const std::size_t dot = name.rfind('.');
  // What follows the deployment's name is one random word, or it is another deployment's pod.
  const std::size_t word = deployment.size() + 1;
  if (dot == std::string::npos || name.find('-', word) < dot) return {};
  name[dot] = ' ';
  return name;
}

void print_lines(Tail& tail, std::string_view bytes) {
  tail.rest += bytes;
  for (std::size_t end = 0; (end = tail.rest.find('\n')) != std::string::npos;) {
    std::printf("[%s] %.*s\n", tail.origin.c_str(), static_cast<int>(end), tail.rest.c_str());
    tail.rest.erase(0, end + 1);
  }
}

void print_new(const fs::path& path, Tail& tail) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat facts {};
  fstat(fd, &facts);
  if (facts.st_ino != tail.inode || facts.st_size < tail.offset) {
    tail.inode = facts.st_ino;  // a new file has taken the name of a full one
    tail.offset = 0;
  }
  std::array<char, 65536> buffer;
  for (ssize_t n = 0; (n = pread(fd, buffer.data(), buffer.size(), tail.offset)) > 0;) {
    tail.offset += n;
    print_lines(tail, std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  }
  close(fd);
  std::fflush(stdout);
}

std::vector<fs::path> files_of(const fs::path& logs, const std::string& deployment) {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator at(logs, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (origin_of(at->path().filename(), deployment).empty()) continue;
    found.emplace_back(fs::last_write_time(at->path(), ignored), at->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [time, path] : found) paths.push_back(std::move(path));
  return paths;
}

/// "iris" or "team/iris" -> its Deployment; "" when there is none.
std::string deployment_of(const kube::Json& up, const std::string& service) {
  for (const kube::Json& known : kube::array(up, {"services"})) {
    const std::string name(kube::text(known, {"name"}));
    const std::string full = std::string(kube::text(known, {"namespace"})) + "/" + name;
    if (service == name || service == full) return std::string(kube::text(known, {"deployment"}));
  }
  return {};
}

std::string names(const kube::Json& up) {
  std::string out;
  for (const kube::Json& known : kube::array(up, {"services"})) {
    out += (out.empty() ? "" : ", ") + std::string(kube::text(known, {"name"}));
  }
  return out;
}

}  // namespace

int print_logs(const fs::path& state_dir, const std::string& service, bool follow) {
  const auto up = local::find_up(state_dir);
  if (!up) {
    std::fprintf(stderr, "pilotlight: nothing is running in %s\n", state_dir.c_str());
    return 1;
  }
  const std::string deployment = deployment_of(*up, service);
  if (deployment.empty()) {
    std::fprintf(stderr, "pilotlight: no service \"%s\"; there is: %s\n", service.c_str(),
                 names(*up).c_str());
    return 1;
  }
  std::map<fs::path, Tail> tails;
  for (;;) {
    for (const fs::path& path : files_of(state_dir / "logs", deployment)) {
      Tail& tail = tails[path];
      if (tail.origin.empty()) tail.origin = origin_of(path.filename(), deployment);
      print_new(path, tail);
    }
    if (!follow || !local::is_locked(state_dir)) return 0;
    poll(nullptr, 0, 200);
  }
}

}  // namespace pilotlight::cli
