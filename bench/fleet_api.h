#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include <netinet/in.h>

#include "bench/stub_api.h"
#include "common/async/shard.h"

namespace pilotlight::bench {

/// The API on a thread of its own, so that nothing but the autoscaler delays a PATCH's arrival.
class FleetApi {
 public:
  explicit FleetApi(Duration latency);

  /// A Deployment that has as many replicas as it needs. Before start().
  void add(const std::string& name, std::int32_t replicas);

  /// Ends the program when it cannot listen there.
  void start(const sockaddr_in& where);
  void stop();

  /// Runs `what` on the API's thread and waits for it.
  void ask(const std::function<void(StubApi&)>& what);

  /// PATCHes that were taken.
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  [[nodiscard]] int watches() const noexcept { return watches_; }

 private:
  [[nodiscard]] Task<> end();

  Shard shard_{0};
  StubApi api_{shard_.executor(), shard_.clock()};
  std::atomic<std::uint64_t> taken_ = 0;
  std::atomic<int> watches_ = 0;
};

}  // namespace pilotlight::bench
