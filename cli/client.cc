#include "cli/client.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include "cli/endpoint.h"
#include "common/async/shard.h"
#include "common/control/client.h"

namespace pilotlight::cli {
namespace {

using std::chrono::seconds;

Task<> fetch(Shard& shard, asio::ip::tcp::endpoint to, control::Ask what,
             Result<control::Answer>& answer) {
  const TimePoint deadline = shard.clock().now() + seconds(10);
  answer = co_await control::ask(shard.executor(), shard.clock(), std::move(to), std::move(what),
                                 deadline);
  shard.post([&shard] { shard.stop(); });
}

}  // namespace

local::OrReason<kube::Json> ask_up(const kube::Json& up, const std::string& page) {
  std::string_view api = kube::text(up, {"api"});
  constexpr std::string_view kScheme = "http://";
  if (!api.starts_with(kScheme)) return local::Reason::because("up.json has no address of the API");
  api.remove_prefix(kScheme.size());
  const std::size_t slash = api.find('/');
  const auto to = parse_endpoint(api.substr(0, slash));
  if (!to || slash == std::string_view::npos)
    return local::Reason::because("up.json has a bad API address");

  Shard shard(0);
  control::Ask what;
  what.target = std::string(api.substr(slash)) + page;
  Result<control::Answer> answer = ErrorCode(FlowError::disconnected);
  shard.scope().spawn(fetch(shard, *to, std::move(what), answer));
  shard.run();
  if (!answer)
    return local::Reason::because(
        fmt::format("pilotlight up does not answer: {}", answer.error().message()));
  if (answer->status != 200)
    return local::Reason::because(fmt::format("pilotlight up answered {}", answer->status));
  auto parsed = kube::parse_json(answer->body);
  if (!parsed)
    return local::Reason::because("pilotlight up answered with something that is not JSON");
  return std::move(*parsed);
}

int end_up(const std::filesystem::path& state_dir) {
  if (!local::is_locked(state_dir)) {
    std::puts("nothing is running");
    return 0;
  }
  std::ifstream lock(state_dir / "lock");
  int pid = 0;
  if (!(lock >> pid) || pid <= 1) {
    std::fprintf(stderr, "pilotlight: %s names no process\n", (state_dir / "lock").c_str());
    return 1;
  }
  if (kill(pid, SIGTERM) != 0 && errno != ESRCH) {
    std::fprintf(stderr, "pilotlight: cannot signal process %d: %s\n", pid, std::strerror(errno));
    return 1;
  }
  constexpr int kRounds = 1500;  // of 10 ms
  for (int round = 0; round < kRounds; ++round) {
    if (!local::is_locked(state_dir)) return 0;
    poll(nullptr, 0, 10);
  }
  std::fprintf(stderr, "pilotlight: process %d has not ended within 15 s\n", pid);
  return 1;
}

}  // namespace pilotlight::cli
