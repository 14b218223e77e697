#include "cli/credential_plugin.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"

namespace pilotlight::cli {
namespace {

using config::PluginAnswer;

constexpr std::size_t kMost = 1024 * 1024;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Ours, and what the plugin gets beside it, which comes last.
std::vector<std::string> environment_of(const config::CredentialPlugin& plugin) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : plugin.environment) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

/// @return 0, or why it does not run.
int spawn(const config::CredentialPlugin& plugin, int output, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (!plugin.interactive) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> arguments{plugin.command};
  arguments.insert(arguments.end(), plugin.arguments.begin(), plugin.arguments.end());
  std::vector<std::string> environment = environment_of(plugin);
  const int error = posix_spawnp(&pid, plugin.command.c_str(), &actions, &attributes,
                                 pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

PluginAnswer nothing(const std::string& why) { return config::Problems(1, why); }

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

/// What has come of a program by the time it was waited for.
struct Seen {
  std::string written;
  bool closed = false;  // its output
  bool full = false;    // there is more than is taken
  bool ended = false;   // the process, which is not the same
};

/// Waits until it has said and done all, or too much, or for too long. Both descriptors are closed.
Seen watch(int output, int process, Duration patience) {
  asio::io_context loop(1);
  asio::readable_pipe from(loop, output);
  asio::posix::stream_descriptor end(loop, process);
  Seen seen;
  end.async_wait(asio::posix::stream_descriptor::wait_read,
                 [&seen](const ErrorCode& ec) { seen.ended = !ec; });
  asio::async_read(from, asio::dynamic_buffer(seen.written, kMost),
                   [&seen, &loop](const ErrorCode& ec, std::size_t /*n*/) {
                     seen.closed = ec == asio::error::eof;
                     seen.full = !ec;
                     if (seen.full) loop.stop();
                   });
  loop.run_for(patience);
  from.close();
  end.close();
  loop.restart();
  loop.run();  // what still waits is cancelled
  return seen;
}

}  // namespace

PluginAnswer run_plugin(const config::CredentialPlugin& plugin, Duration patience) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return nothing(std::strerror(errno));
  pid_t pid = 0;
  int error = spawn(plugin, ends[1], pid);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    const std::string hint = plugin.install_hint.empty() ? "" : "\n" + plugin.install_hint;
    return nothing("cannot be run: " + std::string(std::strerror(error)) + hint);
  }
  Seen seen;
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process >= 0) {
    seen = watch(ends[0], process, patience);
  } else {
    error = errno;
    close(ends[0]);
  }
  if (!seen.ended) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);

  if (error != 0) return nothing("cannot be waited for: " + std::string(std::strerror(error)));
  if (seen.full) return nothing("has written more than 1 MiB");
  if (!seen.ended || !seen.closed) {
    return nothing(fmt::format("has not ended after {} s",
                               std::chrono::duration_cast<std::chrono::seconds>(patience).count()));
  }
  if (status != 0) return nothing(how_it_ended(status));
  return std::move(seen.written);
}

}  // namespace pilotlight::cli
