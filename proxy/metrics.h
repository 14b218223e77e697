#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/cell.h"
#include "common/metrics/histogram.h"
#include "common/stats/concurrency_meter.h"

namespace pilotlight::proxy {

/// How a request ended. Doubles as the `outcome` label, so its values are a public contract.
enum class Outcome : std::size_t {
  answered,         ///< The app's answer went through.
  bounced,          ///< 503: sent back to its activator before the app saw any of it.
  queue_full,       ///< 503: no permit free and no room to wait for one.
  deadline,         ///< 504: its time was up before the answer had begun.
  upstream_failed,  ///< 502: the app failed while it had the request, or could not be reached.
  broken_off,       ///< The answer had begun when the app failed, or the time was up.
  client_left,      ///< The client went away first.
  draining,         ///< This process ended.
  bad_request,      ///< 400, 431: the head could not be taken.
};
inline constexpr std::array<std::string_view, 9> kOutcomeLabel = {
    "answered",   "bounced",     "queue_full", "deadline",   "upstream_failed",
    "broken_off", "client_left", "draining",   "bad_request"};

/// One histogram per status code, made when the first answer of that code is counted.
class HistogramByStatus {
 public:
  explicit HistogramByStatus(std::span<const std::uint64_t> bounds) : bounds_(bounds) {}

  /// A status outside 100..599 is not counted.
  void observe(unsigned status, std::uint64_t value);
  [[nodiscard]] std::vector<HistogramSample> samples(double unit) const;

 private:
  static constexpr unsigned kLeast = 100;
  std::span<const std::uint64_t> bounds_;
  std::array<std::unique_ptr<HistogramCells>, 500> by_status_;
};

/// Knative's, in microseconds.
extern const std::array<std::uint64_t, 14> kDurationBounds;
/// Powers of eight from 64 bytes to 1 GiB and a little more.
extern const std::array<std::uint64_t, 9> kSizeBounds;

/// The counters of the sidecar's data shard.
struct Cells {
  std::array<Cell, kOutcomeLabel.size()> requests;  ///< pilotlight_proxy_requests_total{outcome}
  Cell bounces_full;                                ///< pilotlight_proxy_bounces_total{reason}
  Cell bounces_draining;                            //
  Cell bounces_not_ready;                           //
  Cell probes;                                      ///< pilotlight_proxy_probes_total
  Cell upstream_opened;  ///< pilotlight_proxy_upstream_connections_opened_total
  Cell upstream_reused;  ///< pilotlight_proxy_upstream_connections_reused_total
  HistogramCells queue_wait{kDurationBounds};        ///< pilotlight_proxy_queue_wait_seconds
  HistogramByStatus invocations{kDurationBounds};    ///< kn_serving_invocation_duration_seconds
  HistogramByStatus requests_time{kDurationBounds};  ///< http_server_request_duration_seconds
  HistogramCells request_body{kSizeBounds};          ///< http_server_request_body_size_bytes
  HistogramCells response_body{kSizeBounds};         ///< http_server_response_body_size_bytes
};

/// Everything a scrape shows beside the cells.
struct Gauges {
  LoadSnapshot load;
  std::uint32_t running = 0;      ///< Permits out.
  std::size_t queued = 0;         ///< Requests that wait for a permit.
  std::uint32_t limit = 0;        ///< 0: none.
  std::uint32_t queue_limit = 0;  ///< 0 together with limit 0: nothing ever waits.
  std::size_t connections = 0;    ///< Open downstream.
  std::size_t upstream_idle = 0;
  bool ready = false;
  bool draining = false;
  bool autoscaler_connected = false;
  std::uint64_t log_dropped = 0;
};

/// What `GET /metrics` answers; docs/metrics.md says what each family means.
[[nodiscard]] std::string metrics_text(const Cells& cells, const Gauges& gauges);

}  // namespace pilotlight::proxy
