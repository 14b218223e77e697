// Server's half that one client sees.

#include <utility>

#include "common/wire/server_state.h"

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

// Before the connection's time is up, so that a client hears why it gets no WELCOME.
constexpr Duration kLastWord = 200ms;

}  // namespace

Server::State::Connection::Connection(State& server, Transport stream, std::string peer)
    : server_(server),
      peer_(std::move(peer)),
      link_(std::move(stream), server.clock, outbox_,
            [this](Frame frame) { on_frame(std::move(frame)); }) {}

void Server::State::Connection::send(Frame frame) {
  if (!link_.open()) return;
  if (outbox_.push(std::move(frame))) return link_.wake();
  outbox_.drop_urgent();  // room for the last word
  close(ErrorCause::too_slow, "too many frames wait for this peer");
}

void Server::State::Connection::put_endpoints(Endpoints endpoints) {
  const RevisionKey revision = endpoints.revision;
  put(revision, std::move(endpoints));
}

void Server::State::Connection::put_checkpoint(Checkpoint checkpoint) {
  const RevisionKey revision = checkpoint.revision;
  put(revision, std::move(checkpoint));
}

void Server::State::Connection::close(ErrorCause cause, std::string_view text) {
  Error error;
  error.code = cause;
  error.text = text;
  static_cast<void>(outbox_.push(error));  // full: the peer does not read anyway
  link_.flush_and_end(text);
}

void Server::State::Connection::refuse(const Objection& objection) {
  server_.count(objection.why, objection.text, peer_);
  close(cause_of(objection.why), objection.text);
}

void Server::State::Connection::welcome(Hello hello, const Welcome& welcome) {
  hello_ = std::move(hello);
  hello_.token.clear();  // checked: nobody needs it any more
  joined_ = true;
  link_.established();
  send(welcome);
}

void Server::State::Connection::send_away(const std::string& to) {
  Goaway away;
  away.leader = to;
  away.text = to.empty() ? "nobody leads yet" : "another autoscaler leads";
  static_cast<void>(outbox_.push(away));  // full: the peer does not read anyway
  link_.flush_and_end(away.text);
}

void Server::State::Connection::replace() {
  replaced_ = true;
  close(ErrorCause::replaced, "a newer connection of the same process took over");
}

void Server::State::Connection::put(const RevisionKey& revision, Frame frame) {
  if (!link_.open()) return;
  outbox_.put(revision, std::move(frame));
  link_.wake();
}

void Server::State::Connection::on_frame(Frame frame) {
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

Task<> Server::State::Connection::decide(Hello hello) {
  const TimePoint deadline = link_.established_by() - kLastWord;
  const auto objection = co_await server_.options.gate->check(hello, deadline);
  if (!link_.open()) co_return;
  if (objection) {
    refuse(*objection);
  } else {
    server_.admit(*this, hello);
  }
}

}  // namespace pilotlight::wire
