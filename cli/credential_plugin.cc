#include "cli/credential_plugin.h"

#include <array>
#include <cerrno>
#include <cstring>

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

/// Ours, and what the plugin gets beside it; a name that stands twice is the plugin's.
std::vector<std::string> environment_of(const config::CredentialPlugin& plugin) {
  std::vector<std::string> out;
  for (const auto& [name, value] : plugin.environment) out.push_back(name + "=" + value);
  const std::size_t own = out.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    bool twice = false;
    for (std::size_t i = 0; i < own; ++i) twice = twice || out[i].starts_with(name);
    if (!twice) out.emplace_back(text);
  }
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

}  // namespace

PluginAnswer run_plugin(const config::CredentialPlugin& plugin, Duration patience) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return nothing(std::strerror(errno));
  asio::io_context loop(1);
  asio::readable_pipe output(loop, ends[0]);
  pid_t pid = 0;
  const int error = spawn(plugin, ends[1], pid);
  close(ends[1]);
  if (error != 0) return nothing("cannot be run: " + std::string(std::strerror(error)));

  // Its end, which is not that of its output.
  asio::posix::stream_descriptor process(loop, static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  bool ended = false;
  process.async_wait(asio::posix::stream_descriptor::wait_read,
                     [&ended](const ErrorCode& ec) { ended = !ec; });
  std::string written;
  ErrorCode read;
  asio::async_read(output, asio::dynamic_buffer(written, kMost),
                   [&read](const ErrorCode& ec, std::size_t /*n*/) { read = ec; });
  loop.run_for(patience);
  const bool late = !loop.stopped();
  if (!ended) kill(pid, SIGKILL);
  output.close();
  process.close();
  loop.restart();
  loop.run();  // what was still waiting

  int status = 0;
  waitpid(pid, &status, 0);
  if (late) {
    return nothing(fmt::format("has not ended after {} s",
                               std::chrono::duration_cast<std::chrono::seconds>(patience).count()));
  }
  if (status != 0) return nothing(how_it_ended(status));
  if (!read) return nothing("has written more than 1 MiB");
  return written;
}

}  // namespace pilotlight::cli
