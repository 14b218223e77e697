#include "local/process_tree.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

/// The parent of a process, from /proc/<pid>/stat; 0 when it is gone. The name in that file may
/// hold spaces and brackets, so the fields are counted from the last bracket.
pid_t parent_of(const char* pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%s/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  const char* bracket = std::strrchr(text, ')');
  int parent = 0;
  if (bracket == nullptr || std::sscanf(bracket + 1, " %*c %d", &parent) != 1) return 0;
  return parent;
}

/// (process, parent) of everything that runs.
std::vector<std::pair<pid_t, pid_t>> all_processes() {
  std::vector<std::pair<pid_t, pid_t>> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const pid_t parent = parent_of(entry->d_name);
    if (parent != 0) found.emplace_back(std::atoi(entry->d_name), parent);
  }
  closedir(proc);
  return found;
}

}  // namespace

std::vector<pid_t> descendants(pid_t root) {
  const auto all = all_processes();
  std::vector<pid_t> found{root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const pid_t parent = found[i];
    for (const auto& [pid, its_parent] : all) {
      if (its_parent == parent) found.push_back(pid);
    }
  }
  found.erase(found.begin());
  return found;
}

std::vector<pid_t> children(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& [pid, its_parent] : all_processes()) {
    if (its_parent == parent) found.push_back(pid);
  }
  return found;
}

void kill_all_descendants(int rounds) {
  for (; rounds > 0; --rounds) {
    for (const pid_t pid : descendants(getpid())) kill(pid, SIGKILL);
    pid_t reaped = 0;
    while ((reaped = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0) return;  // ECHILD: none left
    poll(nullptr, 0, 1);     // the kernel needs a moment to end them and hand over their children
  }
}

}  // namespace pilotlight::local
