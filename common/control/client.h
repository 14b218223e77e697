#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/tls.h"

namespace pilotlight::control {

/// Where a control-path server is, and how to speak with it.
struct Peer {
  Peer(asio::ip::tcp::endpoint where) : endpoint(std::move(where)) {}  // NOLINT: plain HTTP is one
  Peer() = default;

  /// The address; 0.0.0.0 when `host` is a name to be looked up at each connect.
  asio::ip::tcp::endpoint endpoint;
  std::string host;  ///< For the Host header; "" is the address.
  std::string name;  ///< What the certificate must be for, a name or an address; "" is the host.
  std::shared_ptr<const TlsContext> tls;  ///< None: plain HTTP.
};

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
[[nodiscard]] Task<Result<Answer>> ask(Executor executor, Clock& clock, Peer to, Ask what,
                                       TimePoint deadline);

/// An answer that is read line by line for as long as it lasts: a Kubernetes watch.
class LineStream {
 public:
  LineStream(Executor executor, Clock& clock);
  ~LineStream();
  LineStream(const LineStream&) = delete;
  LineStream& operator=(const LineStream&) = delete;

  /// Connects, asks, reads the head. @return the status.
  [[nodiscard]] Task<Result<unsigned>> open(Peer to, Ask what, TimePoint deadline);

  /// A header of the answer, "" when it has none. Not before open() has succeeded.
  [[nodiscard]] std::string header(std::string_view name) const;

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
