#pragma once

#include <array>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/async/scope.h"
#include "common/base/log_limit.h"
#include "common/net/listener.h"
#include "common/wire/link.h"
#include "common/wire/server.h"
#include "common/wire/server_rules.h"

namespace pilotlight::wire {

/// What a Server is made of; nobody else includes it.
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

/// One client, before its HELLO and after. Its link runs in Server::State::serve().
class Server::State::Connection final : public Peer {
 public:
  Connection(State& server, Transport stream, std::string peer);

  [[nodiscard]] const Hello& hello() const noexcept override { return hello_; }
  void send(Frame frame) override;
  void put_endpoints(Endpoints endpoints) override;
  void put_checkpoint(Checkpoint checkpoint) override;
  void close(ErrorCause cause, std::string_view text) override;

  [[nodiscard]] Link& link() noexcept { return link_; }
  [[nodiscard]] bool joined() const noexcept { return joined_; }
  [[nodiscard]] bool replaced() const noexcept { return replaced_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }

  void refuse(const Objection& objection);
  /// Asks the gate, and acts on what it says.
  void present(Hello hello) { link_.hold_for(decide(std::move(hello))); }
  void welcome(Hello hello, const Welcome& welcome);
  void send_away(const std::string& to);
  void replace();

 private:
  void put(const RevisionKey& revision, Frame frame);
  void on_frame(Frame frame);
  [[nodiscard]] Task<> decide(Hello hello);

  State& server_;
  std::string peer_;  // ip:port, for the log
  Outbox outbox_;
  Link link_;
  Hello hello_;
  bool joined_ = false;
  bool replaced_ = false;
};

}  // namespace pilotlight::wire
