#include "common/control/pool.h"

#include <utility>

#include "common/base/check.h"
#include "common/control/channel.h"

namespace pilotlight::control {
namespace {

constexpr Duration kYoung = std::chrono::seconds(5);  // no server closes one as soon as that

}  // namespace

/// A suspended wait_turn(). It lives in that coroutine's frame and leaves the line with it.
struct Pool::Waiter {
  Waiter(Pool& p, Timer& t) : pool(p), timer(t), place(p.line_.insert(p.line_.end(), this)) {}
  ~Waiter() {
    if (!granted) pool.line_.erase(place);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Pool& pool;
  Timer& timer;
  std::list<Waiter*>::iterator place;
  bool granted = false;
};

/// The right to use one connection.
class Pool::Turn {
 public:
  explicit Turn(Pool& pool) noexcept : pool_(pool) {}
  ~Turn() { pool_.give_back_turn(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Pool& pool_;
};

Pool::Pool(Executor executor, Clock& clock, Peer peer, std::size_t most)
    : executor_(executor), clock_(clock), peer_(std::move(peer)), most_(most) {}

Pool::~Pool() { PILOTLIGHT_CHECK(taken_ == 0 && line_.empty()); }

Task<Result<>> Pool::wait_turn(TimePoint deadline) {
  if (taken_ < most_ && line_.empty()) {
    ++taken_;
    co_return Result<>();
  }
  const std::unique_ptr<Timer> timer = clock_.make_timer();
  Waiter waiter(*this, *timer);
  const bool expired = co_await timer->wait_until(deadline);
  if (waiter.granted) co_return Result<>();  // also when that raced with the deadline
  if (expired) co_return make_error_code(FlowError::deadline_exceeded);
  co_return ErrorCode(asio::error::operation_aborted);
}

void Pool::give_back_turn() noexcept {
  --taken_;
  if (line_.empty()) return;
  Waiter& oldest = *line_.front();
  line_.pop_front();
  oldest.granted = true;
  ++taken_;
  oldest.timer.cancel();
}

/// The one used last that still looks usable, unless it has been idle for longer than `oldest`.
Pool::Held Pool::take_idle(Duration oldest) {
  while (!idle_.empty() && clock_.now() - idle_.back().since <= oldest) {
    Held newest = std::move(idle_.back().channel);
    idle_.pop_back();
    if (newest->fresh()) return newest;
  }
  return nullptr;
}

void Pool::set_peer(Peer peer) {
  peer_ = std::move(peer);
  ++generation_;
  idle_.clear();
}

Task<Result<Answer>> Pool::ask(Ask what, TimePoint deadline) {
  const Result<> mine = co_await wait_turn(deadline);
  if (!mine) co_return mine.error();
  const Turn turn(*this);
  // A change goes out once, on no connection that a server may be about to close.
  if (Held kept = take_idle(what.method == "POST" ? kYoung : Duration::max())) {
    Result<Answer> answer = co_await attempt(kept, what, deadline);
    const bool died = !answer && kept != nullptr && !kept->answered() &&
                      answer.error() != make_error_code(FlowError::deadline_exceeded) &&
                      answer.error() != asio::error::operation_aborted;
    if (!died || what.method != "GET") co_return answer;
  }
  if (!idle_.empty() && idle_.size() + taken_ > most_) idle_.erase(idle_.begin());
  Held channel = std::make_unique<Channel>(executor_, clock_, peer_);
  const Result<> opened = co_await channel->open(deadline);
  if (!opened) co_return opened.error();
  co_return co_await attempt(channel, what, deadline);
}

/// Asks on `channel`, which goes back to the idle ones when it can be used again.
Task<Result<Answer>> Pool::attempt(Held& channel, const Ask& what, TimePoint deadline) {
  const std::uint64_t generation = generation_;
  Result<> done = co_await channel->send(what, true, deadline);
  if (!done) co_return done.error();
  Channel::Parser parser;
  expect_answer(parser, what);
  done = co_await channel->receive(parser, deadline);
  if (!done) co_return done.error();
  const bool again = parser.get().keep_alive() && generation == generation_;
  Answer answer = to_answer(parser);
  if (again) {
    Idle idle;
    idle.channel = std::move(channel);
    idle.since = clock_.now();
    idle_.push_back(std::move(idle));
  }
  co_return answer;
}

}  // namespace pilotlight::control
