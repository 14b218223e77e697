#include "common/control/server.h"

#include <chrono>
#include <set>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"
#include "common/control/connection.h"

namespace pilotlight::control {
namespace {

constexpr std::size_t kMaxConnections = 256;
constexpr std::chrono::milliseconds kAcceptBackOff{50};  // out of descriptors: do not spin
constexpr std::size_t kMaxTurnedAway = 32;               // at once; beyond it they are just closed

std::string_view find(const std::map<std::string, std::string>& values, std::string_view name) {
  const auto found = values.find(std::string(name));
  return found == values.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

std::string_view Request::header(std::string_view name) const { return find(headers, name); }
std::string_view Request::param(std::string_view name) const { return find(query, name); }

void Reply::when_gone(std::function<void()> /*what*/) {}

struct Server::State {
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

  State(Executor executor, Clock& c, Handler h)
      : clock(c), handler(std::move(h)), scope(executor), acceptor(executor) {}

  [[nodiscard]] Task<> accept_all();
  [[nodiscard]] Task<> serve(std::shared_ptr<Connection> connection, bool admitted);
  void admit(Connection::Socket socket);

  Clock& clock;
  Handler handler;
  Scope scope;
  Acceptor acceptor;
  std::set<Connection*> connections;
  bool stopping = false;
};

Task<> Server::State::accept_all() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::unique_ptr<Timer> pause = clock.make_timer();
  while (!stopping) {
    auto [ec, socket] = co_await acceptor.async_accept(use_tuple);
    if (stopping) co_return;
    if (ec) {
      log_warn("control accept failed", {{"error", ec.message()}});
      co_await pause->wait_until(clock.now() + kAcceptBackOff);
      continue;
    }
    admit(std::move(socket));
  }
}

void Server::State::admit(Connection::Socket socket) {
  const std::size_t open = connections.size();
  if (open >= kMaxConnections) {
    log_warn("control connection refused: too many", {{"limit", kMaxConnections}});
    if (open >= kMaxConnections + kMaxTurnedAway) return;
  }
  ErrorCode ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  auto connection = std::make_shared<Connection>(std::move(socket), scope);
  connections.insert(connection.get());
  scope.spawn(serve(std::move(connection), open < kMaxConnections));
}

Task<> Server::State::serve(std::shared_ptr<Connection> connection, bool admitted) {
  co_await asio::this_coro::throw_if_cancelled(false);
  if (!stopping && admitted) co_await connection->serve(handler);
  if (!stopping && !admitted) co_await connection->turn_away();
  connections.erase(connection.get());
}

Server::Server(Executor executor, Clock& clock, Handler handler)
    : state_(std::make_unique<State>(executor, clock, std::move(handler))) {}

Server::~Server() = default;

Result<Endpoint> Server::listen(const Endpoint& where) {
  auto& acceptor = state_->acceptor;
  ErrorCode ec;
  acceptor.open(where.protocol(), ec);
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor.bind(where, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  Endpoint bound;
  if (!ec) bound = acceptor.local_endpoint(ec);
  if (ec) {
    ErrorCode ignored;
    acceptor.close(ignored);
    return ec;
  }
  state_->scope.spawn(state_->accept_all());
  return bound;
}

Task<> Server::stop() {
  state_->stopping = true;
  ErrorCode ignored;
  state_->acceptor.close(ignored);
  for (Connection* connection : state_->connections) connection->close();
  state_->scope.cancel(asio::cancellation_type::terminal);
  co_await state_->scope.join();
}

}  // namespace pilotlight::control
