#pragma once

#include <string>
#include <vector>

#include "common/wire/server.h"

namespace pilotlight::autoscaler {

/// The other end of a wire connection, as the autoscaler sees it: remembers what it was sent.
class FakePeer final : public wire::Peer {
 public:
  explicit FakePeer(wire::Hello hello) : hello_(std::move(hello)) {}

  static wire::Hello activator(std::uint64_t epoch = 1) {
    wire::Hello hello;
    hello.role = wire::Role::activator;
    hello.replica = "activator";
    hello.epoch = epoch;
    return hello;
  }
  static wire::Hello sidecar(const std::string& name, std::uint64_t epoch = 1) {
    wire::Hello hello;
    hello.role = wire::Role::sidecar;
    hello.revision.name_space = "default";
    hello.revision.revision = "iris-00001";
    hello.replica = name;
    hello.address = name + ":8012";
    hello.epoch = epoch;
    return hello;
  }

  [[nodiscard]] const wire::Hello& hello() const noexcept override { return hello_; }
  void send(wire::Frame frame) override { sent.push_back(std::move(frame)); }
  void put_endpoints(wire::Endpoints set) override { endpoints.push_back(std::move(set)); }
  void put_checkpoint(wire::Checkpoint kept) override { checkpoints.push_back(std::move(kept)); }
  void close(wire::ErrorCause /*cause*/, std::string_view /*text*/) override { closed = true; }

  template <class T>
  [[nodiscard]] std::size_t count() const {
    std::size_t n = 0;
    for (const wire::Frame& frame : sent) n += std::holds_alternative<T>(frame) ? 1 : 0;
    return n;
  }
  /// Replicas of the newest set, each with a "-" before it when it drains.
  [[nodiscard]] std::vector<std::string> listed() const {
    std::vector<std::string> names;
    if (endpoints.empty()) return names;
    for (const wire::Replica& replica : endpoints.back().replicas) {
      const bool drains = replica.state == wire::ReplicaState::draining;
      names.push_back((drains ? "-" : "") + replica.name);
    }
    return names;
  }

  std::vector<wire::Frame> sent;
  std::vector<wire::Endpoints> endpoints;
  std::vector<wire::Checkpoint> checkpoints;
  bool closed = false;

 private:
  wire::Hello hello_;
};

}  // namespace pilotlight::autoscaler
