#include "proxy/metrics.h"

namespace pilotlight::proxy {

const std::array<std::uint64_t, 14> kDurationBounds = {
    5'000,   10'000,  25'000,    50'000,    75'000,    100'000,   250'000,
    500'000, 750'000, 1'000'000, 2'500'000, 5'000'000, 7'500'000, 10'000'000};
const std::array<std::uint64_t, 9> kSizeBounds = {
    64, 512, 4'096, 32'768, 262'144, 2'097'152, 16'777'216, 134'217'728, 1'073'741'824};

namespace {

constexpr double kMicroseconds = 1e6;
constexpr double kBytes = 1;

Sample labelled(std::string_view label, std::string_view value, std::uint64_t count) {
  Sample sample;
  sample.labels.emplace_back(label, value);
  sample.value = static_cast<double>(count);
  return sample;
}

double one_if(bool flag) { return flag ? 1.0 : 0.0; }

/// Knative's names, so that dashboards made for its queue-proxy go on.
void write_knative(Exposition& out, const Cells& cells, const Gauges& gauges) {
  out.histogram("kn_serving_invocation_duration_seconds",
                "Time a request was with the app, its wait for a permit left out.",
                cells.invocations.samples(kMicroseconds));
  out.gauge("kn_serving_queue_depth", "Requests that run or wait for a permit.",
            static_cast<double>(gauges.running) + static_cast<double>(gauges.queued));
  out.histogram("http_server_request_duration_seconds",
                "Time from a request's head to the end of its answer, its wait included.",
                cells.requests_time.samples(kMicroseconds));
  out.histogram("http_server_request_body_size_bytes",
                "Request bodies without their framing, a request without one as 0.",
                {cells.request_body.sample(kBytes, Labels())});
  out.histogram("http_server_response_body_size_bytes",
                "Bodies of the app's answers without their framing, an answer without one as 0.",
                {cells.response_body.sample(kBytes, Labels())});
}

void write_requests(Exposition& out, const Cells& cells, const Gauges& gauges) {
  std::vector<Sample> outcomes;
  for (std::size_t i = 0; i < kOutcomeLabel.size(); ++i) {
    outcomes.push_back(labelled("outcome", kOutcomeLabel[i], cells.requests[i].read()));
  }
  out.counter("pilotlight_proxy_requests_total", "Requests that have ended, by how.", outcomes);
  std::vector<Sample> causes;
  for (std::size_t i = 0; i < kRefusalCauses; ++i) {
    causes.push_back(
        labelled("cause", to_string(static_cast<RefusalCause>(i)), gauges.load.refusals[i]));
  }
  out.counter("pilotlight_proxy_refusals_total", "Requests that ended without the app's answer.",
              causes);
  out.counter("pilotlight_proxy_bounces_total", "Requests sent back to their activator, by why.",
              {labelled("reason", "full", cells.bounces_full.read()),
               labelled("reason", "draining", cells.bounces_draining.read()),
               labelled("reason", "not_ready", cells.bounces_not_ready.read())});
  out.counter("pilotlight_proxy_arrivals_total", "Requests that came.", gauges.load.arrivals);
  out.counter("pilotlight_proxy_probes_total", "Probes answered; they are no load.",
              cells.probes.read());
  out.histogram("pilotlight_proxy_queue_wait_seconds",
                "How long requests that had to wait for a permit waited until they got it.",
                {cells.queue_wait.sample(kMicroseconds, Labels())});
}

void write_gauges(Exposition& out, const Cells& cells, const Gauges& gauges) {
  out.gauge("pilotlight_proxy_in_flight", "Requests that run: permits out.",
            static_cast<double>(gauges.running));
  out.gauge("pilotlight_proxy_queued", "Requests that wait for a permit.",
            static_cast<double>(gauges.queued));
  out.gauge("pilotlight_proxy_limit", "Requests that may run at once; 0 is no limit.",
            static_cast<double>(gauges.limit));
  out.gauge("pilotlight_proxy_queue_limit", "Requests that may wait; 0 where nothing has to.",
            static_cast<double>(gauges.queue_limit));
  out.gauge("pilotlight_proxy_connections", "Open downstream connections.",
            static_cast<double>(gauges.connections));
  out.gauge("pilotlight_proxy_upstream_connections_idle", "Connections to the app kept for reuse.",
            static_cast<double>(gauges.upstream_idle));
  out.counter("pilotlight_proxy_upstream_connections_opened_total", "Connections made to the app.",
              cells.upstream_opened.read());
  out.counter("pilotlight_proxy_upstream_connections_reused_total",
              "Requests that went out on a connection kept from before.",
              cells.upstream_reused.read());
  out.gauge("pilotlight_proxy_ready", "1 while the app is ready.", one_if(gauges.ready));
  out.gauge("pilotlight_proxy_draining", "1 from the signal or hook on.", one_if(gauges.draining));
  out.gauge("pilotlight_proxy_autoscaler_connected", "1 while the autoscaler is connected.",
            one_if(gauges.autoscaler_connected));
  out.counter("pilotlight_proxy_request_log_dropped_total",
              "Lines of the request log that standard output did not take in time.",
              gauges.log_dropped);
}

}  // namespace

void HistogramByStatus::observe(unsigned status, std::uint64_t value) {
  if (status < kLeast || status - kLeast >= by_status_.size()) return;
  auto& histogram = by_status_[status - kLeast];
  if (!histogram) histogram = std::make_unique<HistogramCells>(bounds_);
  histogram->observe(value);
}

std::vector<HistogramSample> HistogramByStatus::samples(double unit) const {
  std::vector<HistogramSample> out;
  for (std::size_t i = 0; i < by_status_.size(); ++i) {
    if (!by_status_[i]) continue;
    Labels labels;
    labels.emplace_back("http_response_status_code", std::to_string(kLeast + i));
    out.push_back(by_status_[i]->sample(unit, std::move(labels)));
  }
  return out;
}

std::string metrics_text(const Cells& cells, const Gauges& gauges) {
  Exposition out;
  write_knative(out, cells, gauges);
  write_requests(out, cells, gauges);
  write_gauges(out, cells, gauges);
  return out.text();
}

}  // namespace pilotlight::proxy
