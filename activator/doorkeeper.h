#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "activator/data_shard.h"
#include "activator/door_plan.h"
#include "common/base/clock.h"

namespace pilotlight::activator {

/// Opens and closes the doors of Services on every data shard, as DoorPlan says. A port that cannot
/// be bound is logged, counted and tried again, and ends nothing. Control shard.
class Doorkeeper {
 public:
  using Shards = std::vector<std::unique_ptr<DataShard>>;

  /// Listens on `address`. All references outlive it.
  Doorkeeper(Clock& clock, asio::ip::address address, const Shards& shards,
             std::mt19937_64& random);

  void want(const Doors& doors);

  /// Works until stop(). To be spawned once.
  [[nodiscard]] Task<> run();
  /// Opens and closes nothing any more: the shards close what is open when they drain.
  void stop() noexcept;

  [[nodiscard]] std::size_t open() const noexcept { return plan_.open(); }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  void carry_out(DoorPlan::Step step);
  [[nodiscard]] Result<> open(std::uint16_t port, const std::string& route);

  Clock& clock_;
  asio::ip::address address_;
  const Shards& shards_;
  std::mt19937_64& random_;
  DoorPlan plan_;
  std::unique_ptr<Timer> pause_;
  std::uint64_t failures_ = 0;
  bool stopped_ = false;
};

}  // namespace pilotlight::activator
