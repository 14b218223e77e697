#pragma once

#include <cstdint>
#include <string>

#include "examples/echo/answer.h"

namespace pilotlight::echo {

/// One client: reads a request, works on it, writes the answer, again. Driven by the Server's loop;
/// never blocks. /stats does not count as a request.
class Connection {
 public:
  Connection(int fd, Stats& stats, const Options& options)
      : fd_(fd), stats_(stats), options_(options) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The socket can be read or written, or has hung up. @return false when the connection is over.
  [[nodiscard]] bool on_ready(std::uint32_t events);

  /// The time that due_us() asked for has come. @return false when the connection is over.
  [[nodiscard]] bool on_due();

  /// When it wants on_due(), in CLOCK_MONOTONIC microseconds; 0 for never.
  [[nodiscard]] std::int64_t due_us() const noexcept { return due_us_; }
  [[nodiscard]] bool wants_write() const noexcept { return !out_.empty() || left_to_make_ != 0; }
  [[nodiscard]] bool wants_read() const noexcept {
    return phase_ == Phase::head || phase_ == Phase::body;
  }
  [[nodiscard]] bool idle() const noexcept { return phase_ == Phase::head && in_.empty(); }

  /// No request after the one at hand.
  void finish_soon() noexcept { last_ = true; }

 private:
  enum class Phase { head, body, work, stream, write };

  [[nodiscard]] bool receive();
  [[nodiscard]] bool advance();
  [[nodiscard]] bool take_head();
  void take_body();
  void begin_answer();
  void begin_work();
  void next_chunk();
  [[nodiscard]] bool flush();
  void end_request(bool whole);

  int fd_;
  Stats& stats_;
  const Options& options_;
  Phase phase_ = Phase::head;
  bool counted_ = false;
  bool last_ = false;
  std::string in_;
  std::string out_;
  Exchange exchange_;
  BodyCounter body_;
  std::uint64_t left_to_make_ = 0;  ///< Bytes of a `?bytes=` body that are not in out_ yet.
  std::uint64_t chunks_left_ = 0;
  std::int64_t due_us_ = 0;
};

}  // namespace pilotlight::echo
