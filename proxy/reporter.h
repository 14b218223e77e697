#pragma once

#include <random>
#include <string>

#include "common/flow/admission.h"
#include "common/flow/drain.h"
#include "common/stats/concurrency_meter.h"
#include "common/stats/knative_stat.h"
#include "common/stats/load_history.h"
#include "common/wire/client.h"

namespace pilotlight::proxy {

/// Told when the fence may have moved: the connection changed, or DRAINED came.
class FenceListener {
 public:
  virtual ~FenceListener() = default;
  virtual void fence_changed() = 0;
};

/// Tells the autoscaler how this replica is: READY and NOT_READY at once, STATS every report
/// period, its HISTORY to an autoscaler that is new, and what Knative's autoscaler would scrape,
/// renewed every second.
///
/// It rests once a report has had nothing new and nobody was there: then it reports once a second,
/// in the wake-up that renews the other numbers. Lives on the data shard.
class Reporter final : public wire::ClientListener {
 public:
  struct Identity {
    wire::RevisionKey revision;
    std::string replica;
    std::string address;  ///< "ip:port" where this sidecar takes requests.
    std::string token;
    std::uint32_t capacity = 0;  ///< 0 is unlimited.
  };

  Reporter(Clock& clock, Identity identity, const ConcurrencyMeter& meter,
           const Admission& admission, DrainFence& fence, FenceListener& listener);

  /// Connects to the autoscaler; without this call only the Knative numbers are kept.
  void connect(Executor executor, asio::ip::tcp::endpoint autoscaler, std::mt19937_64& random,
               wire::CredentialSources credentials = wire::CredentialSources());
  /// The wire client's task; null when connect() was not called.
  [[nodiscard]] wire::Client* client() noexcept { return client_.get(); }

  /// Reports until stop().
  [[nodiscard]] Task<> run();
  void stop() noexcept;

  void app_ready(Duration listening, Duration ready);
  void app_lost(std::string_view why);
  /// The fence has begun, or was called off: says so.
  void drain_changed() { announce(); }

  [[nodiscard]] bool is_connected() const noexcept { return connected_; }

  /// A request has come, and is not in the meter yet. After a rest this reports what was before, so
  /// that the load to come is not spread over the rest, and the report period holds again.
  void rest_ends();

  /// The protobuf Stat of the last full second, or the name alone before that.
  [[nodiscard]] std::string knative_stat() const { return encode(stat_); }

  void connected(const wire::Welcome& welcome) override;
  void disconnected(std::string_view reason) override;
  void received(const wire::Frame& frame) override;

 private:
  [[nodiscard]] wire::Frame state() const;
  void announce();
  void report(TimePoint now);
  [[nodiscard]] bool nothing_new(const LoadSnapshot& load) const noexcept;
  [[nodiscard]] TimePoint report_after(TimePoint now) const noexcept;
  void publish(TimePoint now);

  Clock& clock_;
  Identity identity_;
  const ConcurrencyMeter& meter_;
  const Admission& admission_;
  DrainFence& fence_;
  FenceListener& listener_;
  std::uint64_t epoch_;
  TimePoint started_;
  std::unique_ptr<wire::Client> client_;
  std::unique_ptr<Timer> timer_;
  KnativeStat stat_;  // of the last second
  LoadSnapshot published_;
  LoadSnapshot reported_;
  LoadHistory history_;            // of what was reported
  RefusalCounts told_refusals_{};  // in STATS of a connection: a successor counts on from them
  wire::Ready ready_;
  TimePoint ready_at_{};
  wire::NotReady not_ready_;
  wire::NotReady draining_;
  Duration period_ = std::chrono::seconds(1);
  bool rests_ = false;
  bool is_ready_ = false;
  bool connected_ = false;
  bool stopped_ = false;
};

}  // namespace pilotlight::proxy
