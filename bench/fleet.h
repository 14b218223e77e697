#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/line.h"
#include "bench/socket.h"
#include "common/base/clock.h"
#include "common/wire/codec.h"

namespace pilotlight::bench {

/// The sidecars of many replicas and one activator, as an autoscaler sees them: each has a TCP
/// connection of its own, with or without TLS, and speaks the wire protocol, frame by frame as the
/// product does (HELLO, READY, STATS, POKE, and PONG for every PING). One thread.
///
/// A sidecar reports once a second, at an instant of its own that is spread over the second, a load
/// that never changes. What the autoscaler asks for as report period is not followed.
class Fleet {
 public:
  struct Options {
    sockaddr_in autoscaler{};
    std::uint32_t sidecars = 0;
    std::uint32_t revisions = 1;  ///< The sidecars belong to these, in turns.
    std::string token;
    std::string ca;             ///< File; with it they speak TLS.
    double concurrency = 0.65;  ///< Requests at once in every replica.
  };

  explicit Fleet(const Options& options);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// "fleet-17": of service, revision and Deployment alike.
  [[nodiscard]] static std::string revision_name(std::uint32_t number);

  /// Connects everybody and says READY; ends the program when that takes longer than a minute.
  void connect();

  /// Reports, and answers what comes, until `until`; calls `each` about every millisecond.
  void run(TimePoint until, const std::function<void()>& each);

  /// Reads what has come without reporting any more, until `until`.
  void listen(TimePoint until);

  struct Wake {
    std::string revision;
    std::uint32_t parked = 1;
  };
  /// The activator says that somebody waits for these revisions, with one write.
  void poke(std::span<const Wake> wakes);

  /// Frames that an autoscaler counts: all but PONG.
  [[nodiscard]] std::uint64_t frames_sent() const noexcept { return frames_sent_; }
  [[nodiscard]] std::uint64_t reports_sent() const noexcept { return reports_sent_; }
  /// Connections that have ended though nobody asked for it.
  [[nodiscard]] std::uint32_t lost() const noexcept { return lost_; }
  /// How late the latest report was, in microseconds: is the generator itself fast enough?
  [[nodiscard]] std::int64_t latest_us() const noexcept { return latest_us_; }

 private:
  struct Party;

  void open(Party& party);
  void handle(int timeout_ms);
  void take(Party& party);
  void answer(Party& party, const wire::Frame& frame);
  void report(Party& party, TimePoint now);
  void report_due(TimePoint now);
  void say(Party& party, const wire::Frame& frame);
  void flush(Party& party);
  void lose(Party& party);

  Options options_;
  std::optional<Trust> trust_;
  Fd epoll_;
  wire::Bytes chunk_;                             // what has just been read
  std::vector<std::unique_ptr<Party>> sidecars_;  // in the order of their reports
  std::unique_ptr<Party> activator_;
  std::size_t next_ = 0;  // whose report is due next
  TimePoint round_{};     // when this second's reports began
  std::uint32_t welcomed_ = 0;
  std::uint64_t frames_sent_ = 0;
  std::uint64_t reports_sent_ = 0;
  std::uint32_t lost_ = 0;
  std::int64_t latest_us_ = 0;
};

}  // namespace pilotlight::bench
