// pilotlight-shim: the parent of one replica's processes.
//
// It stands between `pilotlight up` and what it runs, because a parent-death signal follows the
// thread that forked and does not reach grandchildren: as a child subreaper the shim gets every
// orphan of its tree, and when its control socket ends, however `up` died, it kills all of them.
// One attempt to run, one shim: a restart is a new one. Plain POSIX and one thread, so that it
// starts in about a millisecond.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "local/process_tree.h"
#include "local/shim_protocol.h"

namespace {

using namespace pilotlight::local;

constexpr const char* kHelp =
    "pilotlight-shim: runs the processes of one replica for `pilotlight up`, and ends them with "
    "it\n"
    "\n"
    "It takes no arguments: what to run comes over its control socket, descriptor 3. Not for the\n"
    "command line.\n";

struct Running {
  std::string role;
  pid_t pid = -1;
  int outcome_fd = -1;  // int64 exec time; then an errno and a stage if exec failed
};

/// What a child that could not exec says last.
struct Failure {
  int error = 0;
  char stage[16] = {};
};

std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

void say(const ShimReport& report) {
  const std::string line = encode_report(report);
  // A reader that is gone shows as the end of the control socket; nothing else is to be done here.
  if (send(kShimControlFd, line.data(), line.size(), MSG_NOSIGNAL) < 0) return;
}

/// Reads until `n` bytes are there. False at the end of the stream.
bool read_exactly(int fd, void* to, std::size_t n) {
  auto* at = static_cast<char*>(to);
  while (n > 0) {
    const ssize_t got = read(fd, at, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    n -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::vector<ProcessSpec>> read_spec() {
  constexpr std::size_t kSpecLimit = 64 << 20;
  std::size_t length = 0;
  for (char c = 0; read_exactly(kShimControlFd, &c, 1);) {
    if (c == '\n') {
      std::string payload(length, '\0');
      if (!read_exactly(kShimControlFd, payload.data(), length)) return std::nullopt;
      return decode_spec(payload);
    }
    if (c < '0' || c > '9' || length > kSpecLimit) return std::nullopt;
    length = length * 10 + static_cast<std::size_t>(c - '0');
  }
  return std::nullopt;
}

/// Gives the child 0, 1, 2 and its listeners as 3, 4, ...; everything else is close-on-exec.
bool arrange_descriptors(const ProcessSpec& spec, int& outcome_fd) {
  // First out of the way of the low numbers, so that no dup2 below hits one that is still needed.
  outcome_fd = fcntl(outcome_fd, F_DUPFD_CLOEXEC, 100);
  const int log = fcntl(spec.log_fd, F_DUPFD_CLOEXEC, 100);
  std::vector<int> listeners;
  for (const int fd : spec.listen_fds) listeners.push_back(fcntl(fd, F_DUPFD_CLOEXEC, 100));
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
    return false;
  }
  int next = 3;
  for (const int fd : listeners) {
    if (dup2(fd, next++) < 0) return false;
  }
  return true;
}

[[noreturn]] void give_up(int outcome_fd, const char* stage) {
  Failure failure;
  failure.error = errno;
  const std::int64_t never = 0;  // stands where the time of exec would
  const bool tried = std::strcmp(stage, "exec") == 0;
  if (!tried && write(outcome_fd, &never, sizeof never) < 0) _exit(126);
  std::strncpy(failure.stage, stage, sizeof failure.stage - 1);
  if (write(outcome_fd, &failure, sizeof failure) < 0) _exit(126);
  _exit(127);
}

[[noreturn]] void become(const ProcessSpec& spec, int outcome_fd, pid_t shim) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // the second net, for when the shim itself is killed
  if (getppid() != shim) _exit(125);
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) signal(number, SIG_DFL);
  if (!arrange_descriptors(spec, outcome_fd)) give_up(outcome_fd, "descriptors");
  if (!spec.directory.empty() && chdir(spec.directory.c_str()) != 0) give_up(outcome_fd, "chdir");

  std::vector<std::string> env = spec.env;
  if (!spec.listen_fds.empty()) {
    env.push_back("LISTEN_FDS=" + std::to_string(spec.listen_fds.size()));
    env.push_back("LISTEN_PID=" + std::to_string(getpid()));
  }
  std::vector<char*> envp;
  for (std::string& entry : env) envp.push_back(entry.data());
  envp.push_back(nullptr);
  std::vector<char*> argv;
  for (const std::string& argument : spec.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  environ = envp.data();  // execvp() looks the program up in this PATH
  const std::int64_t exec_us = monotonic_us();
  if (write(outcome_fd, &exec_us, sizeof exec_us) < 0) _exit(126);
  execvp(argv[0], argv.data());
  give_up(outcome_fd, "exec");
}

Running start(const ProcessSpec& spec) {
  Running running;
  running.role = spec.role;
  std::array<int, 2> outcome{};
  if (pipe2(outcome.data(), O_CLOEXEC) != 0) return running;
  const pid_t shim = getpid();
  running.pid = fork();
  if (running.pid == 0) become(spec, outcome[1], shim);
  close(outcome[1]);
  running.outcome_fd = outcome[0];
  return running;
}

void report_start(Running& running, const ProcessSpec& spec) {
  ShimReport report;
  report.role = running.role;
  report.pid = running.pid;
  Failure failure;
  const bool forked = running.pid > 0 && running.outcome_fd >= 0;
  const bool reached = forked && read_exactly(running.outcome_fd, &report.exec_us, 8);
  if (reached && !read_exactly(running.outcome_fd, &failure, sizeof failure)) {
    report.kind = ShimReport::Kind::started;
  } else {
    report.kind = ShimReport::Kind::failed;
    report.text = !reached ? "could not be started"
                           : std::string(failure.stage) + " " + spec.argv[0] + ": " +
                                 std::strerror(failure.error);
    running.pid = -1;
  }
  if (running.outcome_fd >= 0) close(running.outcome_fd);
  say(report);
}

/// Reaps everything that ended; reports those that were asked for.
void reap(std::vector<Running>& all) {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (Running& running : all) {
      if (running.pid != pid) continue;
      ShimReport report;
      report.kind = ShimReport::Kind::exited;
      report.role = running.role;
      report.pid = pid;
      report.by_signal = WIFSIGNALED(status);
      report.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
      say(report);
      running.pid = -1;
    }
  }
}

/// @return false when everything is to be killed.
bool obey(std::string_view command, const std::vector<Running>& all) {
  if (command == kKillCommand) return false;
  if (!command.starts_with(kTermCommand)) return true;
  command.remove_prefix(kTermCommand.size());
  for (const Running& running : all) {
    if (running.role == command && running.pid > 0) kill(running.pid, SIGTERM);
  }
  return true;
}

/// Reports and obeys until told to kill, or the control socket ends, or nothing is left to watch.
void watch(std::vector<Running>& all, int signals) {
  std::string commands;
  for (;;) {
    bool any = false;
    for (const Running& running : all) any = any || running.pid > 0;
    if (!any) return;
    std::array<pollfd, 2> ready{{{kShimControlFd, POLLIN, 0}, {signals, POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
    if (ready[1].revents != 0) {
      signalfd_siginfo info{};
      if (read(signals, &info, sizeof info) > 0) reap(all);
    }
    if (ready[0].revents == 0) continue;
    char buffer[256];
    const ssize_t n = recv(kShimControlFd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (n > 0) commands.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end = 0; (end = commands.find('\n')) != std::string::npos;) {
      const std::string command = commands.substr(0, end);
      commands.erase(0, end + 1);
      if (!obey(command, all)) return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    if (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0) {
      std::fputs(kHelp, stdout);
      return 0;
    }
    std::fprintf(stderr, "pilotlight-shim: %s: it takes no arguments\n", argv[1]);
    return 78;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_IGN);
  // Whoever signals the whole session must not take the shim away from its children.
  signal(SIGHUP, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC);
  for (int fd = 3; fd < 64; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);

  const auto spec = read_spec();
  if (!spec) return 78;
  std::vector<Running> all;
  for (const ProcessSpec& process : *spec) all.push_back(start(process));
  for (std::size_t i = 0; i < all.size(); ++i) report_start(all[i], (*spec)[i]);
  watch(all, signals);
  // Ends of processes that were asked for are still told, as the kill brings them about.
  for (const pid_t pid : descendants(getpid())) kill(pid, SIGKILL);
  for (int rounds = 0; rounds < 100; ++rounds) {
    reap(all);
    bool any = false;
    for (const Running& running : all) any = any || running.pid > 0;
    if (!any) break;
    poll(nullptr, 0, 1);
  }
  kill_all_descendants();
  say(ShimReport());
  return 0;
}
