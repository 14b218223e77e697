#include "common/control/channel.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/lexical_cast.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace pilotlight::control {
namespace {

namespace http = boost::beast::http;
using IdleSeconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
using ProbeSeconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
using Probes = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::uint64_t kMaxBody = 64 * 1024 * 1024;

/// No delay; and the kernel notices, within half a minute, a peer that vanished without a word: a
/// watch may rightly be silent, and a kept connection idle, for longer than any deadline of ours.
void tune(TcpStream& stream) {
  ErrorCode ignored;
  stream.set_option(tcp::no_delay(true), ignored);
  stream.set_option(asio::socket_base::keep_alive(true), ignored);
  stream.set_option(IdleSeconds(15), ignored);
  stream.set_option(ProbeSeconds(5), ignored);
  stream.set_option(Probes(3), ignored);
}

std::string host_of(const Peer& peer) {
  return peer.host.empty() ? boost::lexical_cast<std::string>(peer.endpoint) : peer.host;
}

/// The name in "name:port" and "[address]:port", or all of it.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

std::string name_of(const Peer& peer) {
  if (!peer.name.empty()) return peer.name;
  if (!peer.host.empty()) return std::string(without_port(peer.host));
  return peer.endpoint.address().to_string();
}

bool has(const Ask& what, std::string_view name) {
  return std::any_of(what.headers.begin(), what.headers.end(), [name](const auto& header) {
    return boost::beast::iequals(header.first, boost::beast::string_view(name.data(), name.size()));
  });
}

/// The request as it goes over the wire. What the Ask says itself of a header is all that is said.
std::string to_bytes(const Peer& to, const Ask& what, bool keep_alive) {
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\n", what.method, what.target);
  if (!has(what, "Host")) bytes += fmt::format("Host: {}\r\n", host_of(to));
  if (!has(what, "User-Agent")) bytes += "User-Agent: pilotlight\r\n";
  for (const auto& [name, value] : what.headers) bytes += fmt::format("{}: {}\r\n", name, value);
  const bool bodyless = what.method == "GET" || what.method == "HEAD" || what.method == "DELETE";
  if (!what.body.empty() || !bodyless) {
    bytes += fmt::format("Content-Length: {}\r\n", what.body.size());
  }
  if (!keep_alive) bytes += "Connection: close\r\n";
  bytes += "\r\n";
  bytes += what.body;
  return bytes;
}

}  // namespace

void Channel::Guard::end() noexcept {
  over = true;
  if (stream == nullptr) return;
  // Not closed: TLS works on the descriptor, which must not become another's meanwhile.
  ErrorCode ignored;
  stream->cancel(ignored);
  stream->shutdown(tcp::socket::shutdown_both, ignored);
}

Channel::Channel(Executor executor, Clock& clock, Peer peer)
    : executor_(executor),
      clock_(clock),
      peer_(std::move(peer)),
      timer_(executor),
      guard_(std::make_shared<Guard>()) {
  transport_.emplace(TcpStream(executor));
  guard_->stream = &transport_->tcp();
}

Channel::~Channel() { guard_->stream = nullptr; }

void Channel::close() noexcept { guard_->end(); }

void Channel::arm(TimePoint deadline) {
  const std::uint64_t number = ++guard_->armed;
  if (deadline == TimePoint::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::max(deadline - clock_.now(), Duration::zero()));
  timer_.async_wait([guard = guard_, number](ErrorCode ec) {
    if (ec || guard->stream == nullptr || guard->armed != number) return;
    guard->expired = true;
    guard->end();
  });
}

void Channel::disarm() { arm(TimePoint::max()); }

ErrorCode Channel::named(ErrorCode ec) const noexcept {
  if (ec && guard_->expired) return make_error_code(FlowError::deadline_exceeded);
  if (ec && guard_->over) return asio::error::operation_aborted;
  return ec;
}

Task<Result<>> Channel::open(TimePoint deadline) {
  arm(deadline);
  ErrorCode ec = co_await connect();
  if (!ec && guard_->over) ec = asio::error::operation_aborted;
  if (!ec && peer_.tls != nullptr) {
    TcpStream plain = std::move(transport_->tcp());
    transport_.emplace(peer_.tls->connect(std::move(plain), name_of(peer_)));
    guard_->stream = &transport_->tcp();
    ec = co_await transport_->handshake();
  }
  disarm();
  if (ec) co_return named(ec);
  co_return Result<>();
}

Task<ErrorCode> Channel::connect() {
  if (!peer_.endpoint.address().is_unspecified() || peer_.host.empty()) {
    co_return co_await connect(peer_.endpoint);
  }
  asio::ip::basic_resolver<tcp, Executor> resolver(executor_);
  const std::string name(without_port(peer_.host));
  const std::string port = std::to_string(peer_.endpoint.port());
  const auto [failed, found] = co_await resolver.async_resolve(name, port, use_tuple);
  ErrorCode ec = failed;
  for (const auto& entry : found) {
    if (guard_->over) co_return ErrorCode(asio::error::operation_aborted);
    ec = co_await connect(entry.endpoint());
    if (!ec) break;
    ErrorCode ignored;
    transport_->tcp().close(ignored);  // or it stays of this address' family
  }
  co_return ec;
}

Task<ErrorCode> Channel::connect(tcp::endpoint where) {
  const auto [ec] = co_await transport_->tcp().async_connect(where, use_tuple);
  if (!ec) tune(transport_->tcp());
  co_return ec;
}

Task<Result<>> Channel::send(const Ask& what, bool keep_alive, TimePoint deadline) {
  answered_ = false;
  arm(deadline);
  const std::string bytes = to_bytes(peer_, what, keep_alive);
  const asio::const_buffer buffer = asio::buffer(bytes);
  const auto [ec, n] = co_await transport_->write(buffer);
  disarm();
  if (ec) co_return named(ec);
  co_return Result<>();
}

/// Has the parser take at least a byte, or the end.
Task<ErrorCode> Channel::feed(Parser& parser) {
  for (;;) {
    if (guard_->over) co_return ErrorCode(asio::error::operation_aborted);
    ErrorCode ec;
    const std::size_t taken = buffer_.size() == 0 ? 0 : parser.put(buffer_.data(), ec);
    buffer_.consume(taken);
    if (ec && ec != http::error::need_more) co_return ec;
    if (taken > 0 || parser.is_done()) co_return ErrorCode();
    const auto room = buffer_.prepare(kReadSize);
    const auto [failed, n] = co_await transport_->read_some(room);
    buffer_.commit(n);
    answered_ = answered_ || n > 0;
    if (!failed) continue;
    if (failed != asio::error::eof) co_return failed;
    if (!parser.got_some()) co_return ErrorCode(http::error::end_of_stream);
    parser.put_eof(ec);
    co_return ec;
  }
}

Task<Result<>> Channel::receive_head(Parser& parser, TimePoint deadline) {
  arm(deadline);
  ErrorCode ec;
  while (!ec && !parser.is_header_done()) ec = co_await feed(parser);
  disarm();
  if (ec) co_return named(ec);
  co_return Result<>();
}

Task<Result<>> Channel::receive(Parser& parser, TimePoint deadline) {
  arm(deadline);
  ErrorCode ec;
  while (!ec && !parser.is_done()) ec = co_await feed(parser);
  disarm();
  if (ec) co_return named(ec);
  co_return Result<>();
}

Task<Result<>> Channel::receive_some(Parser& parser, TimePoint deadline) {
  arm(deadline);
  const ErrorCode ec = co_await feed(parser);
  disarm();
  if (ec) co_return named(ec);
  co_return Result<>();
}

bool Channel::fresh() noexcept {
  if (guard_->over || buffer_.size() > 0) return false;
  char byte = 0;
  const ssize_t n = recv(transport_->tcp().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void expect_answer(Channel::Parser& parser, const Ask& what) {
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  parser.eager(true);
  parser.skip(what.method == "HEAD");
}

Answer to_answer(Channel::Parser& parser) {
  Answer answer;
  answer.status = parser.get().result_int();
  for (const auto& field : parser.get()) {
    std::string name(field.name_string());
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    answer.headers[std::move(name)] = std::string(field.value());
  }
  answer.body = std::move(parser.get().body());
  return answer;
}

}  // namespace pilotlight::control
