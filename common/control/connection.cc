#include "common/control/connection.h"

#include <array>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "common/base/log.h"
#include "common/control/url.h"

namespace pilotlight::control {
namespace {

namespace http = boost::beast::http;

constexpr std::chrono::seconds kRequestTimeout{60};  // also how long an idle connection may stay
constexpr std::chrono::seconds kWriteTimeout{30};    // a peer that reads nothing is gone
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kMaxLingerBytes = 64 * 1024 * 1024;
constexpr std::uint64_t kMaxBody = 3 * 1024 * 1024;  // what a real API server accepts
constexpr std::uint32_t kMaxHead = 64 * 1024;

Request to_request(const http::request<http::string_body>& message) {
  Request request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const auto question = target.find('?');
  request.path = percent_decode(std::string_view(target).substr(0, question));
  if (question != std::string::npos) {
    request.query = parse_query(std::string_view(target).substr(question + 1));
  }
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    request.headers[std::move(name)] = std::string(field.value());
  }
  request.body = message.body();
  return request;
}

}  // namespace

Task<> Connection::serve(const Handler& handler) {
  while (stream_.socket().is_open()) {
    const std::optional<Request> request = co_await read_request();
    if (!request) break;
    co_await handle(handler, *request);
    if (!keep_alive_ || phase_ != Phase::answered) break;
  }
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  close();
}

Task<> Connection::turn_away() {
  co_await refuse(503, "too many connections");
  close();
}

void Connection::close() noexcept { stream_.close(); }

Task<std::optional<Request>> Connection::read_request() {
  phase_ = Phase::unanswered;
  head_only_ = false;
  keep_alive_ = false;
  Parser parser;
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  stream_.expires_after(kRequestTimeout);
  const auto [ec, n] = co_await http::async_read_header(stream_, buffer_, parser, use_tuple);
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    co_await refuse(431, "request head too large");
  } else if (ec == http::error::body_limit) {
    co_await refuse(413, "request body too large");
  } else if (ec.category() == http::make_error_code(http::error::bad_method).category() &&
             ec != http::error::end_of_stream && ec != http::error::partial_message) {
    co_await refuse(400, ec.message());
  }
  if (ec) co_return std::nullopt;
  http11_ = parser.get().version() >= 11;
  const bool whole = co_await read_body(parser);
  if (!whole) co_return std::nullopt;
  keep_alive_ = parser.get().keep_alive();
  head_only_ = parser.get().method() == http::verb::head;
  ++request_;
  co_return to_request(parser.get());
}

Task<bool> Connection::read_body(Parser& parser) {
  if (http11_ && parser.get()[http::field::expect] == "100-continue") {
    const Result<> told = co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n");
    if (!told) co_return false;
    stream_.expires_after(kRequestTimeout);
  }
  const auto [ec, n] = co_await http::async_read(stream_, buffer_, parser, use_tuple);
  if (ec == http::error::body_limit) co_await refuse(413, "request body too large");
  co_return !ec;
}

Task<> Connection::refuse(unsigned status, std::string_view why) {
  keep_alive_ = false;
  const Result<> sent = co_await send(status, "text/plain", std::string(why) + "\n");
  if (!sent) co_return;
  // What the peer still sends is read and dropped for a moment: closing with unread bytes would
  // reset the connection, and the peer would not see the refusal.
  ErrorCode ec;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  stream_.expires_after(kLinger);
  std::array<char, 4096> dropped{};
  for (std::size_t total = 0; !ec && total < kMaxLingerBytes;) {
    const auto [failed, n] = co_await stream_.async_read_some(asio::buffer(dropped), use_tuple);
    ec = failed;
    total += n;
  }
}

Task<> Connection::handle(const Handler& handler, const Request& request) {
  try {
    co_await handler(request, *this);
  } catch (const std::exception& problem) {
    log_error("control handler failed", {{"path", request.path}, {"error", problem.what()}});
  }
  if (when_gone_) {
    when_gone_ = nullptr;
    ErrorCode ignored;
    stream_.socket().cancel(ignored);  // ends watch_leave(), the only operation at hand
  }
  if (phase_ == Phase::unanswered) {
    const Result<> sent = co_await send(500, "text/plain", "internal error\n");
    if (!sent) close();
  }
}

std::string Connection::head(unsigned status, std::string_view content_type,
                             std::optional<std::size_t> length) const {
  std::string bytes = fmt::format("HTTP/1.1 {} {}\r\n", status,
                                  std::string(http::obsolete_reason(http::int_to_status(status))));
  if (!content_type.empty()) bytes += fmt::format("Content-Type: {}\r\n", content_type);
  if (length) {
    bytes += fmt::format("Content-Length: {}\r\n", *length);
  } else if (http11_) {
    bytes += "Transfer-Encoding: chunked\r\n";
  }
  if (!keep_alive_) bytes += "Connection: close\r\n";
  if (keep_alive_ && !http11_) bytes += "Connection: keep-alive\r\n";
  bytes += "\r\n";
  return bytes;
}

Task<Result<>> Connection::send(unsigned status, std::string_view content_type, std::string body) {
  if (phase_ != Phase::unanswered) co_return make_error_code(FlowError::protocol);
  phase_ = Phase::answered;
  std::string bytes = head(status, content_type, body.size());
  if (!head_only_) bytes += body;
  co_return co_await write_bytes(std::move(bytes));
}

Task<Result<>> Connection::begin(unsigned status, std::string_view content_type) {
  if (phase_ != Phase::unanswered) co_return make_error_code(FlowError::protocol);
  phase_ = Phase::streaming;
  if (!http11_) keep_alive_ = false;  // its end is the end of the connection
  co_return co_await write_bytes(head(status, content_type, std::nullopt));
}

Task<Result<>> Connection::write(std::string piece) {
  if (phase_ != Phase::streaming) co_return make_error_code(FlowError::protocol);
  if (piece.empty() || head_only_) co_return Result<>();
  if (!http11_) co_return co_await write_bytes(std::move(piece));
  std::string chunk = fmt::format("{:x}\r\n", piece.size());
  chunk += piece;
  chunk += "\r\n";
  co_return co_await write_bytes(std::move(chunk));
}

Task<Result<>> Connection::finish() {
  if (phase_ != Phase::streaming) co_return make_error_code(FlowError::protocol);
  phase_ = Phase::answered;
  if (!http11_ || head_only_) co_return Result<>();
  co_return co_await write_bytes("0\r\n\r\n");
}

Task<Result<>> Connection::write_bytes(std::string bytes) {
  stream_.expires_after(kWriteTimeout);
  const auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(bytes), use_tuple);
  if (ec) {
    close();
    co_return ec;
  }
  co_return Result<>();
}

void Connection::when_gone(std::function<void()> what) {
  const bool watching = static_cast<bool>(when_gone_);
  when_gone_ = std::move(what);
  if (!watching) scope_.spawn(watch_leave(shared_from_this(), request_));
}

Task<> Connection::watch_leave(std::shared_ptr<Connection> self, std::uint64_t request) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Socket& socket = self->stream_.socket();
  const auto [ec] = co_await socket.async_wait(asio::socket_base::wait_read, use_tuple);
  if (self->request_ != request || !self->when_gone_) co_return;
  if (!ec) {
    char byte = 0;
    const auto got = recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) co_return;  // the next request, sent early: this peer is not watched any longer
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) co_return;
  }
  const std::function<void()> what = std::move(self->when_gone_);
  self->when_gone_ = nullptr;
  what();
}

}  // namespace pilotlight::control
