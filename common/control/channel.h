#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "common/control/client.h"
#include "common/net/transport.h"

namespace pilotlight::control {

inline constexpr std::uint32_t kMaxHead = 64 * 1024;  ///< Of an answer, in bytes.

/// One connection to a control-path server, with TLS where the Peer has it: sends requests and
/// feeds a parser with what comes back. A deadline that passes ends the connection, so no
/// operation leaves half a message behind for the next one. Used by client.cc and pool.cc only.
/// One shard.
class Channel {
 public:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  Channel(Executor executor, Clock& clock, Peer peer);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Looks the name up if there is no address, connects, shakes hands.
  [[nodiscard]] Task<Result<>> open(TimePoint deadline);

  /// Sends one request. `keep_alive` says whether another one may follow on this connection.
  [[nodiscard]] Task<Result<>> send(const Ask& what, bool keep_alive, TimePoint deadline);

  /// Reads until `parser` has the head of the answer.
  [[nodiscard]] Task<Result<>> receive_head(Parser& parser, TimePoint deadline);

  /// Reads until `parser` has the whole answer.
  [[nodiscard]] Task<Result<>> receive(Parser& parser, TimePoint deadline);

  /// Reads what comes next of the body, at least one byte or the end of the answer.
  [[nodiscard]] Task<Result<>> receive_some(Parser& parser, TimePoint deadline);

  /// Whether bytes of an answer have come since the last send().
  [[nodiscard]] bool answered() const noexcept { return answered_; }

  /// Whether an idle connection looks as if it took another request: open, and nothing came.
  [[nodiscard]] bool fresh() noexcept;

  /// Ends an operation in progress with an error. Nothing can be done with it afterwards.
  void close() noexcept;

 private:
  /// What the timer's handler may still see when the Channel is gone.
  struct Guard {
    TcpStream* stream = nullptr;  // null: the Channel is gone
    std::uint64_t armed = 0;      // which deadline counts
    bool over = false;            // close() or a deadline has ended it
    bool expired = false;
    void end() noexcept;
  };

  void arm(TimePoint deadline);
  void disarm();
  [[nodiscard]] ErrorCode named(ErrorCode ec) const noexcept;
  [[nodiscard]] Task<ErrorCode> connect();
  [[nodiscard]] Task<ErrorCode> connect(tcp::endpoint where);
  [[nodiscard]] Task<ErrorCode> feed(Parser& parser);

  Executor executor_;
  Clock& clock_;
  Peer peer_;
  std::optional<Transport> transport_;
  ShardTimer timer_;
  std::shared_ptr<Guard> guard_;
  boost::beast::flat_buffer buffer_;
  bool answered_ = false;
};

/// Readies a parser for the whole answer to `what`, of bounded size.
void expect_answer(Channel::Parser& parser, const Ask& what);

/// What the parser has read, as an Answer. The body is moved out of it.
[[nodiscard]] Answer to_answer(Channel::Parser& parser);

}  // namespace pilotlight::control
