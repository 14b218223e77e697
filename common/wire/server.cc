#include "common/wire/server.h"

#include <algorithm>
#include <list>
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

bool same_process(const Hello& a, const Hello& b) {
  return a.role == b.role && a.epoch == b.epoch && a.replica == b.replica &&
         a.revision == b.revision;
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
    case FrameType::drained: return role == Role::activator;
    default: return false;
  }
}

}  // namespace

struct Server::State {
  class Connection;

  State(Executor e, Clock& c, ServerOptions o, ServerListener& l)
      : clock(c), options(std::move(o)), listener(l), scope(e), acceptor(e, c, [this](TcpStream s) {
          accept(std::move(s));
        }) {}

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
  bool stopping = false;
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

/// Accepts or says what is wrong (and which cause it is).
std::string Server::State::greet(Connection& connection, const Hello& hello, ErrorCause& cause) {
  if (!options.token.empty() && !same_secret(options.token, hello.token)) {
    cause = ErrorCause::unauthorized;
    return "wrong token";
  }
  if (hello.version_min > kVersion || hello.version_max < kVersion) {
    cause = ErrorCause::version;
    return "only version 1 is spoken here";
  }
  Connection* older = nullptr;
  for (const auto& other : connections) {
    if (other->joined() && other->link().open() && same_process(other->hello(), hello)) {
      older = other.get();
    }
  }
  Welcome welcome;
  welcome.capabilities = kReplay;
  welcome.report_period_ms = options.report_period_ms;
  welcome.server_epoch = options.epoch;
  connection.welcome(hello, welcome);
  listener.joined(connection);
  if (older != nullptr) older->replace();
  return {};
}

void Server::State::accept(TcpStream stream) {
  if (stopping) return;
  ++counts.accepted;
  if (connections.size() >= options.connection_limit) {
    ++counts.refused;
    return;  // closed with the stream
  }
  const auto place =
      connections.insert(connections.end(), std::make_unique<Connection>(*this, std::move(stream)));
  scope.spawn(serve(place));
}

Task<> Server::State::serve(std::list<std::unique_ptr<Connection>>::iterator place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Connection& connection = **place;
  co_await connection.link().run();
  counts.skipped += connection.link().skipped();
  if (connection.link().bad_frame()) ++counts.bad_frames;
  if (connection.joined()) {
    listener.left(connection, connection.link().reason(), connection.replaced());
  } else if (!connection.link().bad_frame()) {
    log_debug("wire peer left before HELLO", {{"reason", connection.link().reason()}});
  }
  connections.erase(place);
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

Task<> Server::stop() {
  state_->stopping = true;
  state_->acceptor.close();
  for (const auto& connection : state_->connections) {
    connection->link().flush_and_end("the autoscaler stops");
  }
  co_await state_->scope.join();
}

const ServerCounts& Server::counts() const noexcept { return state_->counts; }

}  // namespace pilotlight::wire
