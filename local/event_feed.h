#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/control/client.h"
#include "common/kube/json.h"

namespace pilotlight::local {

/// Follows `GET /events` of one of our programs by long polls, over its restarts. Events come in
/// order, each once per epoch of that program. One shard.
class EventFeed {
 public:
  using Listener = std::function<void(const kube::Json& event)>;

  EventFeed(Executor executor, Clock& clock, asio::ip::tcp::endpoint admin, Listener listener);

  /// Follows until stop(). Spawn once. Ends at the latest when the poll at hand does.
  [[nodiscard]] Task<> run();

  void stop();

 private:
  [[nodiscard]] bool take(const control::Answer& answer);

  Executor executor_;
  Clock& clock_;
  asio::ip::tcp::endpoint admin_;
  Listener listener_;
  std::unique_ptr<Timer> pause_;
  std::string epoch_;
  std::int64_t after_ = 0;
  bool stopping_ = false;
};

}  // namespace pilotlight::local
