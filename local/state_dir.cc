#include "local/state_dir.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file_text.h"

namespace pilotlight::local {
namespace {

namespace fs = std::filesystem;

Reason failure(const char* what, const fs::path& path) {
  return Reason::because(
      fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

/// Writes a file of mode 0600 at once: a reader sees the old content or the new.
OrReason<> replace_file(const fs::path& path, std::string_view text) {
  const fs::path next = path.string() + ".new";
  const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failure("write", next);
  fchmod(fd, 0600);
  const bool whole = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  if (!whole) return failure("write", next);
  if (rename(next.c_str(), path.c_str()) != 0) return failure("rename to", path);
  return {};
}

}  // namespace

OrReason<StateDir> StateDir::take(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path / "logs", error);
  if (error)
    return Reason::because(fmt::format("cannot make {}: {}", path.string(), error.message()));
  chmod(path.c_str(), 0700);
  const fs::path lock = path / "lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failure("open", lock);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    const std::string pid = file_text(lock).value_or("");
    return Reason::because(fmt::format(
        "state dir {} is in use by another pilotlight up{}: end it with "
        "`pilotlight down --state-dir {}` or choose another --state-dir",
        path.string(), pid.empty() ? "" : fmt::format(" (pid {})", pid), path.string()));
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || write(fd, pid.data(), pid.size()) < 0) {
    close(fd);
    return failure("write", lock);
  }
  StateDir taken(path, fd);
  taken.remove_up();
  return taken;
}

StateDir::~StateDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

StateDir::StateDir(StateDir&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

OrReason<std::string> StateDir::token(std::uint64_t seed_1, std::uint64_t seed_2) {
  std::string known = file_text(token_file()).value_or("");
  while (!known.empty() && (known.back() == '\n' || known.back() == ' ')) known.pop_back();
  if (known.size() >= 16) return known;
  std::string fresh = fmt::format("{:016x}{:016x}", seed_1, seed_2);
  const OrReason<> written = replace_file(token_file(), fresh);
  if (!written) return written.error();
  return fresh;
}

OrReason<> StateDir::write_kubeconfig(const std::string& address, const std::string& token) {
  return replace_file(kubeconfig(), fmt::format(R"(apiVersion: v1
kind: Config
current-context: pilotlight
clusters:
- name: pilotlight
  cluster:
    server: http://{}/t/{}
users:
- name: pilotlight
  user:
    token: {}
contexts:
- name: pilotlight
  context:
    cluster: pilotlight
    user: pilotlight
    namespace: default
)",
                                                address, token, token));
}

OrReason<> StateDir::write_up(const kube::Json& content) {
  return replace_file(up_json(), content.dump(2) + "\n");
}

void StateDir::remove_up() {
  std::error_code ignored;
  fs::remove(up_json(), ignored);
}

std::optional<kube::Json> find_up(const fs::path& state_dir) {
  if (!is_locked(state_dir)) return std::nullopt;
  return kube::parse_json(file_text(state_dir / "up.json").value_or(""));
}

bool is_locked(const fs::path& state_dir) {
  const int fd = open((state_dir / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool free = flock(fd, LOCK_SH | LOCK_NB) == 0;
  close(fd);
  return !free;
}

void prune_files(const fs::path& folder, std::size_t keep) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const auto time = fs::last_write_time(at->path(), ignored);
    if (!ignored) files.emplace_back(time, at->path());
  }
  if (files.size() <= keep) return;
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + keep < files.size(); ++i) {
    std::error_code ignored;
    fs::remove(files[i].second, ignored);
  }
}

}  // namespace pilotlight::local
