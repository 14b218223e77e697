#include "activator/sockets.h"

#include <charconv>

#include <fmt/format.h>

namespace pilotlight::activator {
namespace {

constexpr int kFirst = 3;       // SD_LISTEN_FDS_START
constexpr long kMost = 10'000;  // beyond it, somebody is mistaken

std::optional<long> number(const std::string& text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

boost::system::result<std::vector<PassedSocket>, std::string> passed_sockets(
    const PassedEnvironment& environment) {
  std::vector<PassedSocket> sockets;
  if (!environment.fds) return sockets;
  if (environment.pid) {
    const auto pid = number(*environment.pid);
    if (!pid) {
      return fmt::format("LISTEN_PID: got \"{}\", expected a process id", *environment.pid);
    }
    if (*pid != environment.own_pid) return sockets;  // meant for whoever started us
  }
  const auto count = number(*environment.fds);
  if (!count || *count < 0 || *count > kMost) {
    return fmt::format("LISTEN_FDS: got \"{}\", expected a number of sockets", *environment.fds);
  }
  std::string names = environment.names.value_or("");
  for (long i = 0; i < *count; ++i) {
    PassedSocket socket;
    socket.descriptor = kFirst + static_cast<int>(i);
    const std::size_t colon = names.find(':');
    socket.name = names.substr(0, colon);
    if (socket.name.empty()) socket.name = "gateway";
    names = colon == std::string::npos ? std::string() : names.substr(colon + 1);
    sockets.push_back(std::move(socket));
  }
  if (!names.empty()) {
    return fmt::format("LISTEN_FDNAMES: got \"{}\", expected {} names", *environment.names, *count);
  }
  return sockets;
}

}  // namespace pilotlight::activator
