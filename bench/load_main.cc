// bench-load: the load generator of the benches. Prints one JSON object. `bench-load --help`.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "bench/load.h"
#include "bench/socket.h"

namespace pilotlight::bench {
namespace {

constexpr const char* kUsage =
    "usage: bench-load --target IP:PORT (--seconds S [--warm-up S] | --requests N | --hold)\n"
    "  --connections N   each one request at a time (1)\n"
    "  --rate R          requests per second in all, timed from when each was due (closed loop)\n"
    "  --path PATH       (/)\n"
    "  --body BYTES      of each POST; 0: GET (86)\n"
    "  --reconnect       a new connection for each request\n"
    "  --hold            one request a connection, say \"holding\", keep all until EOF on stdin\n"
    "  --cpu-of PID,...  also report the CPU time of these processes in the window\n";

[[noreturn]] void usage(const std::string& problem) {
  std::fprintf(stderr, "bench-load: %s\n%s", problem.c_str(), kUsage);
  std::exit(78);
}

std::vector<pid_t> pids_of(const std::string& text) {
  std::vector<pid_t> pids;
  std::istringstream list(text);
  for (std::string one; std::getline(list, one, ',');) pids.push_back(std::atoi(one.c_str()));
  return pids;
}

bool take(LoadOptions& options, const std::string& name, const std::string& value) {
  const double number = std::atof(value.c_str());
  if (name == "--target") {
    const auto address = parse_address(value);
    if (!address) usage("--target: got \"" + value + "\", expected ip:port");
    options.target = *address;
  } else if (name == "--connections") {
    options.connections = static_cast<std::uint32_t>(number);
  } else if (name == "--seconds") {
    options.seconds = number;
  } else if (name == "--warm-up") {
    options.warm_up_seconds = number;
  } else if (name == "--requests") {
    options.requests = static_cast<std::uint64_t>(number);
  } else if (name == "--rate") {
    options.rate = number;
  } else if (name == "--path") {
    options.path = value;
  } else if (name == "--body") {
    options.body_bytes = static_cast<std::uint64_t>(number);
  } else if (name == "--cpu-of") {
    options.cpu_of = pids_of(value);
  } else {
    return false;
  }
  return true;
}

LoadOptions parse(int argc, char** argv) {
  LoadOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--reconnect") {
      options.reconnect = true;
    } else if (name == "--hold") {
      options.hold = true;
    } else if (i + 1 == argc || !take(options, name, argv[i + 1])) {
      usage("unknown argument \"" + name + "\"");
    } else {
      ++i;
    }
  }
  const int ends = (options.seconds > 0) + (options.requests > 0) + options.hold;
  if (ends != 1) usage("expected one of --seconds, --requests, --hold");
  if (options.connections == 0) usage("--connections: got 0, expected at least 1");
  if (options.target.sin_port == 0) usage("--target: missing");
  return options;
}

double percentile(const std::vector<std::uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print(LoadResult& result) {
  std::vector<std::uint32_t>& times = result.latencies_us;
  std::sort(times.begin(), times.end());
  std::printf("{\"requests\": %llu, \"all_requests\": %llu, \"seconds\": %.6f, ",
              static_cast<unsigned long long>(result.requests),
              static_cast<unsigned long long>(result.all_requests), result.seconds);
  std::printf("\"body_bytes\": %llu, \"reconnects\": %llu, \"errors\": {",
              static_cast<unsigned long long>(result.body_bytes),
              static_cast<unsigned long long>(result.reconnects));
  const char* separator = "";
  for (const auto& [name, count] : result.errors) {
    std::printf("%s\"%s\": %llu", separator, name.c_str(), static_cast<unsigned long long>(count));
    separator = ", ";
  }
  std::printf("}, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f", percentile(times, 0.5),
              percentile(times, 0.99), percentile(times, 0.999));
  if (result.cpu_seconds) std::printf(", \"cpu_seconds\": %.9f", *result.cpu_seconds);
  std::puts("}");
}

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const LoadOptions options = parse(argc, argv);
  LoadResult result = run_load(options);
  print(result);
}
