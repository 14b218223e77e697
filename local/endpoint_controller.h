#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "local/api/store.h"

namespace pilotlight::local {

/// Keeps one EndpointSlice per revision, `<revision>-private`, listing the sidecars of its Pods:
/// every Pod that has an address, with its readiness; terminating ones are never ready. The slice
/// stays, empty, while the revision sleeps, and goes with its Deployment. One shard, the store's.
class EndpointController {
 public:
  EndpointController(ApiStore& store, std::uint16_t serving_port);

 private:
  void on_change(const Change& change);
  void reconcile(std::string_view space, std::string_view revision);

  ApiStore& store_;
  std::uint16_t serving_port_;
  ApiStore::Subscription subscription_;
};

}  // namespace pilotlight::local
