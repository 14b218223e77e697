#include "common/net/listener.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/post.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t kInOneGo = 64;  // connections, at some 15 us each

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// A connection that died in the backlog, or a moment of trouble: the next accept may work.
bool out_of_resources(const ErrorCode& ec) {
  return ec == asio::error::no_descriptors || ec == asio::error::no_memory ||
         ec == asio::error::no_buffer_space || ec.value() == ENFILE;
}

}  // namespace

Result<tcp::endpoint> parse_endpoint(std::string_view text) {
  const ErrorCode bad = asio::error::invalid_argument;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad;
  ErrorCode ec;
  const auto address = asio::ip::make_address(std::string(host), ec);
  if (ec) return ec;
  return tcp::endpoint(address, port);
}

std::string to_string(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

Result<int> listening_socket(const tcp::endpoint& where, bool shared) noexcept {
  const int made = socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return ErrorCode(errno, boost::system::system_category());
  const int on = 1;
  bool done = setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
  if (done && shared) done = setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  done = done && bind(made, where.data(), static_cast<socklen_t>(where.size())) == 0 &&
         listen(made, SOMAXCONN) == 0;
  if (done) return made;
  const ErrorCode why(errno, boost::system::system_category());
  close(made);
  return why;
}

Listener::Listener(Executor executor, Clock& clock, OnConnection on_connection)
    : acceptor_(executor),
      clock_(clock),
      on_connection_(std::move(on_connection)),
      pause_(clock.make_timer()) {}

Result<> Listener::bind(const tcp::endpoint& where, bool shared) {
  ErrorCode ec;
  acceptor_.open(where.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && shared) acceptor_.set_option(ReusePort(true), ec);
  if (!ec) acceptor_.bind(where, ec);
  if (!ec) acceptor_.set_option(tcp::no_delay(true), ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (!ec) return {};
  ErrorCode ignored;  // the first error is the one to report
  acceptor_.close(ignored);
  return ec;
}

Result<> Listener::adopt(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrorCode(errno, boost::system::system_category());
  }
  ErrorCode ec;
  acceptor_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor, ec);
  if (ec) return ec;
  acceptor_.set_option(tcp::no_delay(true), ec);
  if (!ec) return {};
  ErrorCode ignored;
  acceptor_.release(ignored);  // it stays the caller's
  return ec;
}

tcp::endpoint Listener::local() const {
  ErrorCode ignored;  // a closed listener has the empty endpoint
  return acceptor_.local_endpoint(ignored);
}

Task<> Listener::run() {
  Duration pause = 5ms;
  ErrorCode ec;
  // Without both Asio's accept waits, on this thread: also when a client has given up meanwhile.
  acceptor_.non_blocking(true, ec);
  acceptor_.set_option(asio::socket_base::enable_connection_aborted(true), ec);
  while (acceptor_.is_open()) {
    const Accepted accepted = accept_waiting();
    if (accepted.count > 0) pause = 5ms;
    if (!acceptor_.is_open()) co_return;
    if (accepted.ec == asio::error::would_block) {
      const auto [closed] = co_await acceptor_.async_wait(TcpAcceptor::wait_read, use_tuple);
      if (closed) co_return;
    } else if (out_of_resources(accepted.ec)) {
      log_warn("accept paused", {{"error", accepted.ec.message()}});
      co_await pause_->wait_until(clock_.now() + pause);
      pause = std::min<Duration>(pause * 2, 1s);
    } else {  // there may be more; an error is of one connection
      co_await asio::post(acceptor_.get_executor(), asio::use_awaitable_t<Executor>());
    }
  }
}

/// Takes those that wait, so that a busy shard does not let each wait for a turn of everybody else.
Listener::Accepted Listener::accept_waiting() {
  Accepted accepted;
  while (acceptor_.is_open() && accepted.count < kInOneGo) {
    TcpStream stream(acceptor_.get_executor());
    acceptor_.accept(stream, accepted.ec);
    if (accepted.ec) break;
    ++accepted.count;
    on_connection_(std::move(stream));
  }
  return accepted;
}

void Listener::close() noexcept {
  ErrorCode ignored;  // nothing to do about a failing close
  acceptor_.close(ignored);
  pause_->cancel();
}

}  // namespace pilotlight
