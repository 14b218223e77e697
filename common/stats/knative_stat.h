#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pilotlight {

/// Knative's `metrics.Stat` message, what its autoscaler scrapes from every replica on :9090.
struct KnativeStat {
  std::string pod_name;
  double average_concurrent_requests = 0;
  double average_proxied_concurrent_requests = 0;
  double request_count = 0;          ///< Per second.
  double proxied_request_count = 0;  ///< Per second.
  double process_uptime = 0;         ///< Seconds.
  std::int64_t timestamp = 0;        ///< Unix seconds; a sidecar leaves it 0.
};

/// The content type of an encoded Stat.
inline constexpr std::string_view kKnativeStatType = "application/protobuf";

/// The proto3 encoding: fields in order, zeros left out, as the reference encoders do. Knative's
/// scraper reads at most 336 bytes, so `pod_name` is cut to 253 (the longest legal name).
[[nodiscard]] std::string encode(const KnativeStat& stat);

}  // namespace pilotlight
