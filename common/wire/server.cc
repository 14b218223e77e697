#include "common/wire/server.h"

#include <list>
#include <set>
#include <tuple>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/async/scope.h"
#include "common/base/log.h"
#include "common/net/listener.h"
#include "common/wire/link.h"

namespace pilotlight::wire {
namespace {

/// Takes as long whatever differs, and where.
bool same_secret(std::string_view expected, std::string_view got) noexcept {
  unsigned difference = expected.size() == got.size() ? 0U : 1U;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const char mine = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned char>(static_cast<unsigned char>(mine) ^
                                             static_cast<unsigned char>(got[i]));
  }
  return difference == 0;
}

/// Who says that HELLO: one process, whatever its connections.
auto process_of(const Hello& hello) {
  return std::tie(hello.epoch, hello.role, hello.replica, hello.revision);
}

/// Whether that role may send that frame, once it has said HELLO.
bool may_send(Role role, FrameType type) noexcept {
  switch (type) {
    case FrameType::stats:
    case FrameType::history:
    case FrameType::history_end: return true;
    case FrameType::ready:
    case FrameType::not_ready: return role == Role::sidecar;
    case FrameType::checkpoint:
    case FrameType::poke:
    case FrameType::woken:
    case FrameType::drained: return role == Role::activator;
    default: return false;
  }
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
  [[nodiscard]] std::string greet(Connection& connection, const Hello& hello, ErrorCause& cause);

  Clock& clock;
  ServerOptions options;
  ServerListener& listener;
  ServerCounts counts;
  Scope scope;
  Listener acceptor;
  std::list<std::unique_ptr<Connection>> connections;
  std::set<Connection*, ByProcess> newest;  // of each process that has joined
  std::optional<std::string> leader;        // who does the work instead, if somebody does
  bool stopping = false;
  bool full = false;  // the last one was refused: said once
};

class Server::State::Connection final : public Peer {
 public:
  Connection(State& server, TcpStream stream)
      : server_(server), link_(std::move(stream), server.clock, outbox_, [this](Frame frame) {
          on_frame(std::move(frame));
        }) {}

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
    static_cast<void>(outbox_.push(away));  // full: the peer does not read anyway
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
      ErrorCause cause = ErrorCause::protocol;
      const auto* hello = std::get_if<Hello>(&frame);
      const std::string wrong =
          hello == nullptr ? "the first frame must be HELLO" : server_.greet(*this, *hello, cause);
      if (wrong.empty()) return;
      ++server_.counts.refused;
      log_warn("wire peer refused", {{"reason", wrong}});
      return close(cause, wrong);
    }
    if (!may_send(hello_.role, type_of(frame))) {
      return close(ErrorCause::protocol,
                   "not yours to send: " + std::string(name_of(type_of(frame))));
    }
    server_.listener.received(*this, frame);
  }

  State& server_;
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

/// Accepts, sends away, or says what is wrong (and which cause it is).
std::string Server::State::greet(Connection& connection, const Hello& hello, ErrorCause& cause) {
  if (!options.token.empty() && !same_secret(options.token, hello.token)) {
    cause = ErrorCause::unauthorized;
    return "wrong token";
  }
  if (hello.version_min > kVersion || hello.version_max < kVersion) {
    cause = ErrorCause::version;
    return "only version 1 is spoken here";
  }
  if (leader) {
    ++counts.sent_away;
    connection.send_away(*leader);
    return {};
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
  return {};
}

void Server::State::accept(TcpStream stream) {
  if (stopping) return;
  ++counts.accepted;
  if (connections.size() >= options.connection_limit) {
    ++counts.refused;
    if (!full) log_warn("no more wire connections", {{"limit", options.connection_limit}});
    full = true;
    return;  // closed with the stream
  }
  full = false;
  const auto place =
      connections.insert(connections.end(), std::make_unique<Connection>(*this, std::move(stream)));
  counts.open = connections.size();
  scope.spawn(serve(place));
}

Task<> Server::State::serve(std::list<std::unique_ptr<Connection>>::iterator place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Connection& connection = **place;
  co_await connection.link().run();
  counts.skipped += connection.link().skipped();
  if (connection.link().bad_frame()) ++counts.bad_frames;
  if (connection.joined()) {
    const auto newest_place = newest.find(&connection);
    if (newest_place != newest.end() && *newest_place == &connection) newest.erase(newest_place);
    listener.left(connection, connection.link().reason(), connection.replaced());
  } else if (!connection.link().bad_frame()) {
    log_debug("wire peer left before HELLO", {{"reason", connection.link().reason()}});
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

const ServerCounts& Server::counts() const noexcept { return state_->counts; }

}  // namespace pilotlight::wire
