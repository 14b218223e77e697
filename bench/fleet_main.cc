// bench-fleet: thousands of simulated sidecars, an activator and an API server for one autoscaler.
// Prints one JSON object. `bench-fleet --help`.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "bench/fleet_run.h"
#include "common/base/descriptor_limit.h"

namespace pilotlight::bench {
namespace {

constexpr const char* kUsage =
    "usage: bench-fleet --api IP:PORT --autoscaler IP:PORT [options]\n"
    "Says \"serving\" once the API listens, reads the autoscaler's process id from stdin, runs,\n"
    "prints its result, and keeps all connections until EOF on stdin.\n"
    "  --ca FILE          everybody speaks TLS, and trusts who is certified by this\n"
    "  --sidecars N       one report a second each (0)\n"
    "  --revisions N      that they belong to (1)\n"
    "  --warm-up S        before the measured window (2)\n"
    "  --seconds S        the measured window (10)\n"
    "  --pokes R          wakes per second in it, one at a time (0)\n"
    "  --wakes N          then so many at once (0)\n"
    "  --failing-wakes N  then so many at once while the API fails one PATCH in four (0)\n"
    "  --latency-us N     of the API's answers to PATCHes (1000)\n"
    "  --core N           the autoscaler's: as many bare bytes as wakes turn round there (0)\n";

[[noreturn]] void usage(const std::string& problem) {
  std::fprintf(stderr, "bench-fleet: %s\n%s", problem.c_str(), kUsage);
  std::exit(78);
}

sockaddr_in address_of(const std::string& name, const std::string& text) {
  const auto address = parse_address(text);
  if (!address) usage(name + ": got \"" + text + "\", expected ip:port");
  return *address;
}

void take(FleetRun::Options& options, const std::string& name, const std::string& value) {
  const auto count = static_cast<std::uint32_t>(std::atol(value.c_str()));
  if (name == "--api") {
    options.api = address_of(name, value);
  } else if (name == "--autoscaler") {
    options.fleet.autoscaler = address_of(name, value);
  } else if (name == "--ca") {
    options.fleet.ca = value;
  } else if (name == "--sidecars") {
    options.fleet.sidecars = count;
  } else if (name == "--revisions") {
    options.fleet.revisions = std::max(count, 1U);
  } else if (name == "--warm-up") {
    options.warm_up_seconds = std::atof(value.c_str());
  } else if (name == "--seconds") {
    options.seconds = std::atof(value.c_str());
  } else if (name == "--pokes") {
    options.pokes_per_second = std::atof(value.c_str());
  } else if (name == "--wakes") {
    options.wakes = count;
  } else if (name == "--failing-wakes") {
    options.failing_wakes = count;
  } else if (name == "--latency-us") {
    options.latency_us = count;
  } else if (name == "--core") {
    options.core = count;
  } else {
    usage("unknown argument \"" + name + "\"");
  }
}

FleetRun::Options parse(int argc, char** argv) {
  FleetRun::Options options;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) usage("no value for \"" + std::string(argv[i]) + "\"");
    take(options, argv[i], argv[i + 1]);
  }
  if (options.api.sin_port == 0) usage("--api: missing");
  if (options.fleet.autoscaler.sin_port == 0) usage("--autoscaler: missing");
  return options;
}

void require_descriptors(const FleetRun::Options& options) {
  const std::size_t needed = options.fleet.sidecars + 100;
  const std::size_t have = raise_descriptor_limit();
  if (have >= needed) return;
  std::fprintf(stderr,
               "bench-fleet: %u sidecars need %zu descriptors and the hard limit is %zu: raise it "
               "(ulimit -Hn, as root) or take fewer\n",
               options.fleet.sidecars, needed, have);
  std::exit(1);
}

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const FleetRun::Options options = parse(argc, argv);
  require_descriptors(options);
  FleetRun run(options);
  std::puts(run.whole().dump().c_str());
  std::fflush(stdout);
  while (std::cin.get() != EOF) {
  }
  run.end();
}
