#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autoscaler/loop.h"
#include "common/stats/load_history.h"
#include "common/wire/report.h"
#include "tests/autoscaler/fake_peer.h"
#include "tests/support/sim_clock.h"

namespace pilotlight::autoscaler {

/// One sender: an activator or a sidecar, with a meter, a history, and what it keeps for others.
class FakeSender {
 public:
  FakeSender(wire::Hello hello, wire::RevisionKey revision, TimePoint now)
      : hello_(std::move(hello)), revision_(std::move(revision)), meter_(now) {
    hello_.capabilities = wire::kReplay;
  }

  /// Brings what is in flight to that number; `turnover` more come and go.
  void carry(std::uint32_t in_flight, Via via, std::uint32_t turnover, TimePoint now);
  /// Adds to its history, and tells the loop if it is connected.
  void report(Loop& loop, TimePoint now);

  /// Its history goes with the next report.
  void connect(Loop& loop);
  void disconnect(Loop& loop);
  /// The other side died; what it had written is here.
  void cut(TimePoint now);

  [[nodiscard]] bool connected() const noexcept { return peer_ != nullptr; }
  [[nodiscard]] const wire::Hello& hello() const noexcept { return hello_; }
  /// A sidecar whose app is ready says so after each connect.
  bool ready = false;
  bool replays = true;
  std::uint64_t oldest_wait_us = 0;

 private:
  void keep_checkpoint(TimePoint now);
  void replay(Loop& loop, const wire::Stats& stats, TimePoint now);

  wire::Hello hello_;
  wire::RevisionKey revision_;
  ConcurrencyMeter meter_;
  LoadHistory history_;
  std::map<Via, std::uint32_t> carried_;
  std::unique_ptr<FakePeer> peer_;
  bool told_ = false;  // the loop of this connection has had our history
  std::optional<wire::Checkpoint> kept_;
  TimePoint kept_at_{};
};

/// What the load is at a time since the start.
struct Offered {
  std::uint32_t via_activator = 0;
  std::uint32_t direct = 0;    ///< Straight to the first replica.
  std::uint32_t turnover = 0;  ///< Arrivals per 50 ms, beyond what the numbers need.
  std::uint64_t wait_us = 0;
};
using Shape = std::function<Offered(Duration)>;

/// An API, an activator and as many replicas as were asked for, each ready a second after it was,
/// around a Loop that can be killed. Time goes in steps of 50 ms.
class ReturnWorld final : private ScaleTarget {
 public:
  struct Plan {
    SubjectView view;
    Shape shape;
    std::size_t activators = 1;
    Duration deployments_after{};  ///< From a loop's start until the API has told of Deployments.
    Duration activator_after{};    ///< From a loop's start until an activator is back.
    Duration sidecar_after{};      ///< Likewise; each further sidecar takes 50 ms longer.
    bool sidecars_replay = true;   ///< False: their version cannot.
    Duration vacant{};             ///< From a kill until the next loop leads; it follows till then.
  };
  explicit ReturnWorld(Plan plan);
  ~ReturnWorld();

  void kill();
  void step();
  void run(Duration length) {
    for (const TimePoint end = clock_.now() + length; clock_.now() < end;) step();
  }

  [[nodiscard]] TimePoint now() const { return clock_.now(); }
  [[nodiscard]] Loop& loop() { return *loop_; }
  [[nodiscard]] const Subject& subject() const { return *loop_->subjects().at(plan_.view.key); }
  [[nodiscard]] bool returning() const;

  /// What was decided at each turn, and what was asked of the API when.
  std::map<TimePoint, Decision> decisions;
  std::map<TimePoint, std::int32_t> counts;

 private:
  Task<PatchAnswer> set_replicas(std::string name_space, std::string deployment,
                                 std::int32_t n) override;
  void start_loop();
  void tell_deployments();
  void echo();
  void carry();
  void reconnect();

  Plan plan_;
  asio::io_context io_{1};
  test::SimClock clock_{io_};
  Scope scope_{io_.get_executor()};
  std::mt19937_64 random_{7};
  TimePoint begun_;
  std::uint64_t epochs_ = 0;
  std::unique_ptr<Loop> loop_;
  TimePoint loop_begun_{};
  bool led_ = true;
  bool deployments_told_ = false;
  std::vector<std::unique_ptr<FakeSender>> activators_;
  std::vector<std::unique_ptr<FakeSender>> sidecars_;
  std::vector<TimePoint> born_;  // of the sidecars
  std::int32_t replicas_;
  std::int64_t generation_;
  bool echo_due_ = false;
};

}  // namespace pilotlight::autoscaler
