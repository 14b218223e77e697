#include "common/wire/server.h"

#include <numeric>
#include <tuple>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"
#include "common/net/tls_files.h"
#include "common/wire/server_state.h"

namespace pilotlight::wire {
namespace {

/// Who says that HELLO: one process, whatever its connections.
auto process_of(const Hello& hello) {
  return std::tie(hello.epoch, hello.role, hello.replica, hello.revision);
}

}  // namespace

bool Server::State::ByProcess::operator()(const Connection* a, const Connection* b) const {
  return process_of(a->hello()) < process_of(b->hello());
}
bool Server::State::ByProcess::operator()(const Connection* a, const Hello& b) const {
  return process_of(a->hello()) < process_of(b);
}
bool Server::State::ByProcess::operator()(const Hello& a, const Connection* b) const {
  return process_of(a) < process_of(b->hello());
}

void Server::State::greet(Connection& connection, const Hello& hello) {
  if (const auto objection = object_to(hello, options.token)) return connection.refuse(*objection);
  // Who does not do the work need not know who asks: the leader decides.
  if (leader || options.gate == nullptr) return admit(connection, hello);
  connection.present(hello);
}

/// Welcomes it, or sends it away.
void Server::State::admit(Connection& connection, const Hello& hello) {
  if (leader) {
    ++counts.sent_away;
    return connection.send_away(*leader);
  }
  Connection* older = nullptr;
  if (const auto place = newest.find(hello); place != newest.end()) {
    if ((*place)->link().open()) older = *place;
    newest.erase(place);
  }
  Welcome welcome;
  welcome.capabilities = kReplay;
  const bool crowded = hello.role == Role::sidecar && newest.size() >= options.crowd;
  welcome.report_period_ms = crowded ? options.crowd_report_period_ms : options.report_period_ms;
  welcome.server_epoch = options.epoch;
  connection.welcome(hello, welcome);
  newest.insert(&connection);
  listener.joined(connection);
  if (older != nullptr) older->replace();
}

void Server::State::count(Refusal why, std::string_view text, const std::string& peer) {
  const auto index = static_cast<std::size_t>(why);
  ++counts.refusals.at(index);
  const auto held_back = lines.at(index).pass(clock.now());
  if (!held_back) return;
  log_warn(
      "wire peer refused",
      {{"why", name_of(why)}, {"reason", text}, {"peer", peer}, {"lines_held_back", *held_back}});
}

Transport Server::State::secured(TcpStream stream) const {
  if (options.tls == nullptr) return Transport(std::move(stream));
  return options.tls->context().accept(std::move(stream));
}

void Server::State::accept(TcpStream stream) {
  if (stopping) return;
  ++counts.accepted;
  ErrorCode gone;  // then the first read says so
  const std::string peer = pilotlight::to_string(stream.remote_endpoint(gone));
  if (connections.size() >= options.connection_limit) {
    count(Refusal::limit, "no more connections", peer);
    return;  // closed with the stream
  }
  const auto place = connections.insert(
      connections.end(), std::make_unique<Connection>(*this, secured(std::move(stream)), peer));
  counts.open = connections.size();
  scope.spawn(serve(place));
}

Task<> Server::State::serve(std::list<std::unique_ptr<Connection>>::iterator place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Connection& connection = **place;
  co_await connection.link().run();
  const Link& link = connection.link();
  counts.skipped += link.skipped();
  if (link.how() == Link::End::bad_frame) ++counts.bad_frames;
  if (link.how() == Link::End::tls) count(Refusal::tls, link.reason(), connection.peer());
  if (link.how() == Link::End::late) count(Refusal::silent, link.reason(), connection.peer());
  if (connection.joined()) {
    const auto newest_place = newest.find(&connection);
    if (newest_place != newest.end() && *newest_place == &connection) newest.erase(newest_place);
    listener.left(connection, link.reason(), connection.replaced());
  } else if (link.how() == Link::End::other) {
    log_debug("wire peer left before WELCOME", {{"reason", link.reason()}});
  }
  connections.erase(place);
  counts.open = connections.size();
}

Server::Server(Executor executor, Clock& clock, ServerOptions options, ServerListener& listener)
    : state_(std::make_unique<State>(executor, clock, std::move(options), listener)) {}

Server::~Server() = default;

Result<tcp::endpoint> Server::listen(const tcp::endpoint& where) {
  const Result<> bound = state_->acceptor.bind(where, false);
  if (bound.has_error()) return bound.error();
  state_->scope.spawn(state_->acceptor.run());
  return state_->acceptor.local();
}

void Server::send_away(std::string leader) { state_->leader = std::move(leader); }

void Server::welcome_all() noexcept { state_->leader.reset(); }

void Server::turn_out(const std::function<bool(const Hello&)>& like, const Objection& objection) {
  for (const auto& connection : state_->connections) {
    if (!connection->joined() || !connection->link().open()) continue;
    if (like(connection->hello())) connection->refuse(objection);
  }
}

Task<> Server::stop() {
  state_->stopping = true;
  state_->acceptor.close();
  for (const auto& connection : state_->connections) {
    if (connection->joined() && state_->leader) {
      connection->send_away(*state_->leader);
    } else {
      connection->link().flush_and_end("the autoscaler stops");
    }
  }
  co_await state_->scope.join();
}

std::uint64_t ServerCounts::refused() const noexcept {
  return std::accumulate(refusals.begin(), refusals.end(), std::uint64_t{0});
}

const ServerCounts& Server::counts() const noexcept { return state_->counts; }

}  // namespace pilotlight::wire
