#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight::control {

/// What a control-path server answered.
struct Answer {
  unsigned status = 0;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
};

/// What to ask. `target` is path and query, already percent-encoded.
struct Ask {
  std::string method = "GET";
  std::string target = "/";
  std::map<std::string, std::string> headers;
  std::string body;
};

/// Asks once on a new connection and reads the whole answer (at most 64 MiB). Errors: what Asio
/// says, or deadline_exceeded. Any HTTP status is an answer, not an error.
[[nodiscard]] Task<Result<Answer>> ask(Executor executor, Clock& clock, asio::ip::tcp::endpoint to,
                                       Ask what, TimePoint deadline);

/// Connections to one server that stay open from one request to the next: who asks often does not
/// wait for a handshake, and requests do not wait behind each other.
///
/// Every request has a connection to itself: the idle one that was used last, or a new one. At most
/// `keep` stay open when idle; how many are open at once is the callers' doing. One that the server
/// has closed is not taken; one that breaks in the moment it is used ends that request with an
/// error, so whoever may try again does. One shard; calls end before it is destroyed.
class KeptConnections {
 public:
  KeptConnections(Executor executor, Clock& clock, asio::ip::tcp::endpoint to, std::size_t keep);
  ~KeptConnections();
  KeptConnections(const KeptConnections&) = delete;
  KeptConnections& operator=(const KeptConnections&) = delete;

  /// As control::ask().
  [[nodiscard]] Task<Result<Answer>> ask(Ask what, TimePoint deadline);

  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }

 private:
  class Connection;

  [[nodiscard]] std::unique_ptr<Connection> take();
  void put_back(std::unique_ptr<Connection> connection);

  Executor executor_;
  Clock& clock_;
  asio::ip::tcp::endpoint to_;
  std::size_t keep_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the one that was used last is last
};

/// An answer that is read line by line for as long as it lasts: a Kubernetes watch.
class LineStream {
 public:
  LineStream(Executor executor, Clock& clock);
  ~LineStream();
  LineStream(const LineStream&) = delete;
  LineStream& operator=(const LineStream&) = delete;

  /// Connects, asks, reads the head. @return the status.
  [[nodiscard]] Task<Result<unsigned>> open(asio::ip::tcp::endpoint to, Ask what,
                                            TimePoint deadline);

  /// The next line without its newline (at most 16 MiB); none at the orderly end of the answer. An
  /// error, a deadline that came included, ends the stream.
  [[nodiscard]] Task<Result<std::optional<std::string>>> read_line(TimePoint deadline);

  /// Ends a read in progress with an error. Call on the same shard.
  void close() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::control
