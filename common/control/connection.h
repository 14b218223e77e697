#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "common/control/server.h"

namespace pilotlight::control {

/// One connection of a Server: reads requests one after another, hands each to the handler, and is
/// the Reply that the handler answers through. Used by server.cc only. One shard.
class Connection final : public Reply, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

  Connection(Socket socket, Scope& scope) : stream_(std::move(socket)), scope_(scope) {}

  /// Serves until the peer leaves, keep-alive ends, or close().
  [[nodiscard]] Task<> serve(const Handler& handler);

  /// Answers 503 to whatever the peer asks, for a server that has too many connections.
  [[nodiscard]] Task<> turn_away();

  /// Ends every operation at hand with an error. Safe at any time.
  void close() noexcept;

  Task<Result<>> send(unsigned status, std::string_view content_type, std::string body) override;
  Task<Result<>> begin(unsigned status, std::string_view content_type) override;
  Task<Result<>> write(std::string piece) override;
  Task<Result<>> finish() override;
  void when_gone(std::function<void()> what) override;

 private:
  using Stream = boost::beast::basic_stream<asio::ip::tcp, Executor>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Head = boost::beast::http::response_header<>;
  enum class Phase { unanswered, streaming, answered };

  /// @return the next request, or none when the connection is to end (a peer that sent something
  /// unacceptable has been told).
  [[nodiscard]] Task<std::optional<Request>> read_request();
  [[nodiscard]] Task<bool> read_body(Parser& parser);
  [[nodiscard]] Task<> refuse(unsigned status, std::string_view why);
  [[nodiscard]] Task<> handle(const Handler& handler, const Request& request);
  [[nodiscard]] Task<Result<>> write_bytes(std::string bytes);
  [[nodiscard]] std::string head(unsigned status, std::string_view content_type,
                                 std::optional<std::size_t> length) const;
  [[nodiscard]] static Task<> watch_leave(std::shared_ptr<Connection> self, std::uint64_t request);

  Stream stream_;
  Scope& scope_;
  boost::beast::flat_buffer buffer_{kMaxBuffer};
  Phase phase_ = Phase::unanswered;
  bool keep_alive_ = false;
  bool http11_ = true;
  bool head_only_ = false;  // a HEAD request: its answer has no body
  std::uint64_t request_ = 0;
  std::function<void()> when_gone_;

  static constexpr std::size_t kMaxBuffer = 128 * 1024;
};

}  // namespace pilotlight::control
