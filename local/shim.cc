#include "local/shim.h"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "local/process_tree.h"

namespace pilotlight::local {
namespace {

ErrorCode last_error() { return {errno, boost::system::system_category()}; }

/// Copies of descriptors above any number that a shim uses, so that dup2 in the child never hits
/// one that is still to be copied. Closed when destroyed.
class HighCopies {
 public:
  ~HighCopies() {
    for (const int fd : fds_) close(fd);
  }
  [[nodiscard]] int add(int fd) {
    fds_.push_back(fcntl(fd, F_DUPFD_CLOEXEC, 256));
    return fds_.back();
  }

 private:
  std::vector<int> fds_;
};

/// Moves every descriptor of `processes` to its number in the shim.
void place_descriptors(std::vector<ProcessSpec>& processes, HighCopies& copies,
                       posix_spawn_file_actions_t& actions) {
  int next = kShimControlFd + 1;
  const auto place = [&](int& fd) {
    posix_spawn_file_actions_adddup2(&actions, copies.add(fd), next);
    fd = next++;
  };
  for (ProcessSpec& process : processes) {
    place(process.log_fd);
    for (int& fd : process.listen_fds) place(fd);
  }
}

/// posix_spawn: no copy of this process is made, however big it is. A session of its own keeps the
/// terminal's Ctrl-C away from it.
int spawn(const std::string& program, posix_spawn_file_actions_t& actions, pid_t& pid) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  std::string name = program;
  std::array<char*, 2> argv{name.data(), nullptr};
  std::array<char*, 1> env{nullptr};
  const int error =
      posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), env.data());
  posix_spawnattr_destroy(&attributes);
  return error;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

ShimLauncher::ShimLauncher(std::string program) : program_(std::move(program)) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void ShimLauncher::sweep() {
  for (int rounds = 0; rounds < 200; ++rounds) {
    bool any = false;
    for (const pid_t child : children(getpid())) {
      if (running_.contains(child)) continue;
      any = true;
      for (const pid_t below : descendants(child)) ::kill(below, SIGKILL);
      ::kill(child, SIGKILL);
      waitpid(child, nullptr, WNOHANG);
    }
    if (!any) return;
    poll(nullptr, 0, 1);
  }
}

Shim::~Shim() {
  if (pid_ < 0) return;
  ErrorCode ignored;
  control_.close(ignored);  // its end is the order to kill
  reap();
}

Result<> Shim::start(std::vector<ProcessSpec> processes) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return last_error();
  control_.assign(asio::local::stream_protocol(), ends[0]);
  int error = 0;
  {
    HighCopies copies;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const int shim_end = copies.add(ends[1]);
    close(ends[1]);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, shim_end, kShimControlFd);
    place_descriptors(processes, copies, actions);
    error = spawn(launcher_.program(), actions, pid_);
    posix_spawn_file_actions_destroy(&actions);
  }
  if (error != 0) {
    pid_ = -1;
    return ErrorCode(error, boost::system::system_category());
  }
  launcher_.running_.insert(pid_);
  // The shim reads its spec first of all, so a spec larger than the socket's buffer waits for a
  // millisecond at most.
  if (!send_all(control_.native_handle(), encode_spec(processes))) return last_error();
  ErrorCode ignored;
  control_.non_blocking(true, ignored);
  return {};
}

Task<std::optional<ShimReport>> Shim::next() {
  for (;;) {
    const std::size_t end = received_.find('\n');
    if (end != std::string::npos) {
      const auto report = decode_report(std::string_view(received_).substr(0, end));
      received_.erase(0, end + 1);
      if (!report) continue;
      if (report->kind != ShimReport::Kind::empty) co_return report;
      empty_ = true;
      continue;
    }
    std::array<char, 1024> buffer{};
    const auto [ec, n] = co_await control_.async_read_some(asio::buffer(buffer), use_tuple);
    if (ec == asio::error::operation_aborted && control_.is_open()) continue;
    if (ec) break;
    received_.append(buffer.data(), n);
  }
  reap();
  co_return std::nullopt;
}

void Shim::term(std::string_view role) {
  command(std::string(kTermCommand) + std::string(role) + "\n");
}

void Shim::kill() { command(std::string(kKillCommand) + "\n"); }

void Shim::command(std::string_view line) {
  // A shim that does not take a line is gone or going: next() will say so.
  if (pid_ > 0 && control_.is_open()) send_all(control_.native_handle(), line);
}

void Shim::reap() {
  if (pid_ < 0) return;
  // Its control socket closes as it exits, or it is about to kill what it has: milliseconds.
  waitpid(pid_, nullptr, 0);
  launcher_.running_.erase(pid_);
  pid_ = -1;
  if (empty_) return;
  log_warn("shim ended early", {{"program", launcher_.program()}});
  launcher_.sweep();
}

}  // namespace pilotlight::local
