#include "common/wire/client.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"
#include "common/net/listener.h"
#include "common/wire/link.h"

namespace pilotlight::wire {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstPause = 20ms;
constexpr Duration kLongestPause = 1s;

}  // namespace

struct Client::State {
  State(Executor e, Clock& c, tcp::endpoint s, Hello h, ClientListener& l, std::mt19937_64& r,
        CredentialSources from)
      : executor(e),
        clock(c),
        server(s),
        hello(std::move(h)),
        listener(l),
        random(r),
        credentials(std::move(from)),
        pause(c.make_timer()) {}

  [[nodiscard]] Task<> connect_once(tcp::endpoint to);
  void ended(tcp::endpoint at, const std::string& reason);
  [[nodiscard]] Task<bool> may_go_on();
  void on_frame(Frame frame);
  void sent_away(const Goaway& goaway);
  [[nodiscard]] Duration jittered(Duration longest);

  Executor executor;
  Clock& clock;
  tcp::endpoint server;
  Hello hello;
  ClientListener& listener;
  std::mt19937_64& random;
  Credentials credentials;
  std::unique_ptr<Timer> pause;
  Outbox outbox;
  Link* link = nullptr;  // the connection at hand, in the frame of connect_once()
  std::optional<Welcome> welcome;
  std::optional<tcp::endpoint> leader;  // where the last GOAWAY sent us
  std::optional<std::uint64_t> told;    // the server epoch that has had our HISTORY
  std::string last_reason;
  bool connected = false;
  bool closed = false;
};

Client::Client(Executor executor, Clock& clock, asio::ip::tcp::endpoint server, Hello hello,
               ClientListener& listener, std::mt19937_64& random, CredentialSources credentials)
    : state_(std::make_unique<State>(executor, clock, server, std::move(hello), listener, random,
                                     std::move(credentials))) {}

Client::~Client() = default;

Duration Client::State::jittered(Duration longest) {
  std::uniform_int_distribution<Duration::rep> any(longest.count() / 2, longest.count());
  return Duration(any(random));
}

void Client::State::on_frame(Frame frame) {
  if (const auto* accepted = std::get_if<Welcome>(&frame)) {
    if (connected) return link->end("a second WELCOME");
    welcome = *accepted;
    connected = true;
    link->established();
    listener.connected(*welcome);
    return;
  }
  if (const auto* goaway = std::get_if<Goaway>(&frame)) return sent_away(*goaway);
  if (!connected) return link->end("a frame before WELCOME");
  listener.received(frame);
}

void Client::State::sent_away(const Goaway& goaway) {
  const Result<tcp::endpoint> where = parse_endpoint(goaway.leader);
  if (where) leader = *where;
  link->end(where ? "sent away to " + goaway.leader : "sent away: " + goaway.text);
}

Task<> Client::State::connect_once(tcp::endpoint to) {
  credentials.renew();
  if (credentials.token()) hello.token = *credentials.token();
  outbox.drop_urgent();
  static_cast<void>(outbox.push(hello));  // first in an empty queue
  TcpStream socket(executor);
  ErrorCode ignored;  // connecting fails likewise, and says so
  socket.open(to.protocol(), ignored);
  auto stream = credentials.wrap(std::move(socket));
  if (!stream) co_return ended(to, stream.error());
  // The STATS that wait are dropped by a server that has not seen HELLO; HELLO is urgent and so
  // goes first.
  Link here(std::move(*stream), clock, outbox, [this](Frame frame) { on_frame(std::move(frame)); });
  link = &here;
  co_await here.run(to);
  link = nullptr;
  if (outbox.replaying()) {
    outbox.drop_replay();
    told.reset();
  }
  ended(to, here.reason());
}

void Client::State::ended(tcp::endpoint at, const std::string& reason) {
  const bool was_connected = std::exchange(connected, false);
  if (closed) {
    if (was_connected) listener.disconnected("closed");
    return;
  }
  if (was_connected || reason != last_reason) {
    last_reason = reason;
    log_warn(was_connected ? "autoscaler lost" : "autoscaler not reached",
             {{"server", to_string(at)}, {"reason", last_reason}});
  }
  if (was_connected) listener.disconnected(reason);
}

Task<> Client::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  State& s = *state_;
  Duration longest = kFirstPause;
  bool followed = false;  // the way to a leader, since the last WELCOME
  while (co_await s.may_go_on()) {
    const auto before = std::exchange(s.welcome, std::nullopt);
    const tcp::endpoint to = std::exchange(s.leader, std::nullopt).value_or(s.server);
    co_await s.connect_once(to);
    const bool had_welcome = s.welcome.has_value();
    if (!had_welcome) s.welcome = before;
    if (had_welcome) longest = kFirstPause;
    if (had_welcome) followed = false;
    if (!co_await s.may_go_on()) co_return;
    // Once without a pause: two that send us to each other must not keep us busy.
    if (s.leader && !std::exchange(followed, true)) continue;
    co_await s.pause->wait_until(s.clock.now() + s.jittered(longest));
    longest = std::min(longest * 2, kLongestPause);
  }
}

/// Not once closed, or once the task that awaits this was cancelled.
Task<bool> Client::State::may_go_on() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) closed = true;
  co_return !closed;
}

void Client::close() noexcept {
  state_->closed = true;
  state_->pause->cancel();
  if (state_->link != nullptr) state_->link->flush_and_end("closed");
}

bool Client::send(Frame frame) {
  State& s = *state_;
  if (!s.connected || s.link == nullptr || !s.link->open()) return false;
  if (!s.outbox.push(std::move(frame))) {
    s.link->end("the autoscaler does not read");
    return false;
  }
  s.link->wake();
  return true;
}

void Client::put_stats(Stats stats) {
  const RevisionKey revision = stats.revision;
  state_->outbox.put(revision, std::move(stats));
  if (state_->link != nullptr) state_->link->wake();
}

bool Client::wants_history() const noexcept {
  const State& s = *state_;
  return s.connected && (s.hello.capabilities & s.welcome->capabilities & kReplay) != 0 &&
         s.told != s.welcome->server_epoch;
}

void Client::put_history(std::vector<Frame> frames) {
  State& s = *state_;
  if (!s.connected || s.link == nullptr) return;
  HistoryEnd end;
  end.epoch = s.hello.epoch;
  frames.emplace_back(end);
  s.told = s.welcome->server_epoch;
  s.outbox.replay(std::move(frames));
  s.link->wake();
}

bool Client::connected() const noexcept { return state_->connected; }

const std::optional<Welcome>& Client::welcome() const noexcept { return state_->welcome; }

}  // namespace pilotlight::wire
