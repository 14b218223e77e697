// The laptop's API server on its own, with one Deployment, for trying clients of other languages:
//     local-api-server PORT TOKEN
#include <charconv>
#include <cstdio>
#include <cstring>

#include "common/async/shard.h"
#include "common/base/system_clock.h"
#include "local/api/server.h"
#include "tests/local/api/objects.h"

int main(int argc, char** argv) {
  using namespace pilotlight;
  std::uint16_t port = 0;
  if (argc != 3 ||
      std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), port).ec != std::errc()) {
    std::fprintf(stderr, "usage: local-api-server PORT TOKEN\n");
    return 78;
  }
  Shard shard(0);
  local::ApiStore store(random_seed(), static_cast<std::uint64_t>(wall_clock_ns() / 1'000'000));
  const local::Stored made = store.create(kube::kDeployments, local::test::deployment("iris", 0));
  if (!made) return 1;
  local::ApiServer::Options options;
  options.token = argv[2];
  options.version = "0.1.0";
  local::ApiServer server(shard.executor(), shard.clock(), store, std::move(options));
  const auto at = server.listen(control::Endpoint(asio::ip::address_v4::loopback(), port));
  if (!at) {
    std::fprintf(stderr, "%s\n", at.error().message().c_str());
    return 1;
  }
  std::printf("%u\n", at->port());
  std::fflush(stdout);
  shard.run();
  return 0;
}
