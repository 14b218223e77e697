#include "common/wire/server.h"

#include <list>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/async/scope.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/net/listener.h"
#include "common/net/tls_files.h"
#include "common/wire/link.h"
#include "common/wire/server_rules.h"

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

// Before the connection's time is up, so that a client hears why it gets no WELCOME.
constexpr Duration kLastWord = 200ms;

/// Who says that HELLO: one process, whatever its connections.
auto process_of(const Hello& hello) {
  return std::tie(hello.epoch, hello.role, hello.replica, hello.revision);
}

}  // namespace

struct Server::State {
  class Connection;

  /// Connections by the process at their other end, one each.
  struct ByProcess {
    using is_transparent = void;
    bool operator()(const Connection* a, const Connection* b) const;
    bool operator()(const Connection* a, const Hello& b) const;
    bool operator()(const Hello& a, const Connection* b) const;
  };

  State(Executor e, Clock& c, ServerOptions o, ServerListener& l)
      : clock(c), options(std::move(o)), listener(l), scope(e), acceptor(e, c, [this](TcpStream s) {
          accept(std::move(s));
        }) {
    counts.limit = options.connection_limit;
  }

  void accept(TcpStream stream);
  [[nodiscard]] Task<> serve(std::list<std::unique_ptr<Connection>>::iterator place);
  [[nodiscard]] Transport secured(TcpStream stream) const;
  void greet(Connection& connection, const Hello& hello);
  void admit(Connection& connection, const Hello& hello);
  void count(Refusal why, std::string_view text, const std::string& peer);

  Clock& clock;
  ServerOptions options;
  ServerListener& listener;
  ServerCounts counts;
  std::array<LogLimit, kRefusals> lines;  // of the log, by Refusal
  Scope scope;
  Listener acceptor;
  std::list<std::unique_ptr<Connection>> connections;
  std::set<Connection*, ByProcess> newest;  // of each process that has joined
  std::optional<std::string> leader;        // who does the work instead, if somebody does
  bool stopping = false;
};

class Server::State::Connection final : public Peer {
 public:
  Connection(State& server, Transport stream, std::string peer)
      : server_(server),
        peer_(std::move(peer)),
        link_(std::move(stream), server.clock, outbox_,
              [this](Frame frame) { on_frame(std::move(frame)); }) {}

  [[nodiscard]] const Hello& hello() const noexcept override { return hello_; }

  void send(Frame frame) override {
    if (!link_.open()) return;
    if (outbox_.push(std::move(frame))) return link_.wake();
    outbox_.drop_urgent();  // room for the last word
    close(ErrorCause::too_slow, "too many frames wait for this peer");
  }

  void put_endpoints(Endpoints endpoints) override {
    const RevisionKey revision = endpoints.revision;
    put(revision, std::move(endpoints));
  }

  void put_checkpoint(Checkpoint checkpoint) override {
    const RevisionKey revision = checkpoint.revision;
    put(revision, std::move(checkpoint));
  }

  void close(ErrorCause cause, std::string_view text) override {
    Error error;
    error.code = cause;
    error.text = text;
    static_cast<void>(outbox_.push(error));  // full: the peer does not read anyway
    link_.flush_and_end(text);
  }

  [[nodiscard]] Link& link() noexcept { return link_; }
  [[nodiscard]] bool joined() const noexcept { return joined_; }
  [[nodiscard]] bool replaced() const noexcept { return replaced_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }

  void refuse(const Objection& objection) {
    server_.count(objection.why, objection.text, peer_);
    close(cause_of(objection.why), objection.text);
  }

  /// Asks the gate, and acts on what it says.
  void present(Hello hello) { link_.hold_for(decide(std::move(hello))); }

  void welcome(Hello hello, const Welcome& welcome) {
    hello_ = std::move(hello);
    hello_.token.clear();  // checked: nobody needs it any more
    joined_ = true;
    link_.established();
    send(welcome);
  }

  void send_away(const std::string& to) {
    Goaway away;
    away.leader = to;
    away.text = to.empty() ? "nobody leads yet" : "another autoscaler leads";
    static_cast<void>(outbox_.push(away));  // the first frame in an empty queue
    link_.flush_and_end(away.text);
  }

  void replace() {
    replaced_ = true;
    close(ErrorCause::replaced, "a newer connection of the same process took over");
  }

 private:
  void put(const RevisionKey& revision, Frame frame) {
    if (!link_.open()) return;
    outbox_.put(revision, std::move(frame));
    link_.wake();
  }

  void on_frame(Frame frame) {
    ++server_.counts.frames;
    if (!joined_) {
      if (const auto* hello = std::get_if<Hello>(&frame)) return server_.greet(*this, *hello);
      Objection wrong;
      wrong.why = Refusal::protocol;
      wrong.text = "the first frame must be HELLO";
      return refuse(wrong);
    }
    if (!may_send(hello_.role, type_of(frame))) {
      return close(ErrorCause::protocol,
                   "not yours to send: " + std::string(name_of(type_of(frame))));
    }
    server_.listener.received(*this, frame);
  }

  [[nodiscard]] Task<> decide(Hello hello) {
    const TimePoint deadline = link_.established_by() - kLastWord;
    const auto objection = co_await server_.options.gate->check(hello, deadline);
    if (!link_.open()) co_return;
    if (objection) {
      refuse(*objection);
    } else {
      server_.admit(*this, hello);
    }
  }

  State& server_;
  std::string peer_;  // ip:port, for the log
  Outbox outbox_;
  Link link_;
  Hello hello_;
  bool joined_ = false;
  bool replaced_ = false;
};

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
    connection->link().flush_and_end("the autoscaler stops");
  }
  co_await state_->scope.join();
}

std::uint64_t ServerCounts::refused() const noexcept {
  return std::accumulate(refusals.begin(), refusals.end(), std::uint64_t{0});
}

const ServerCounts& Server::counts() const noexcept { return state_->counts; }

}  // namespace pilotlight::wire
