#include "common/control/client.h"

#include <utility>

#include "common/control/channel.h"

namespace pilotlight::control {
namespace {

constexpr std::size_t kMaxLine = 16 * 1024 * 1024;  // a Kubernetes object is at most 1.5 MiB

}  // namespace

Task<Result<Answer>> ask(Executor executor, Clock& clock, Peer to, Ask what, TimePoint deadline) {
  Channel channel(executor, clock, std::move(to));
  Result<> done = co_await channel.open(deadline);
  if (done) done = co_await channel.send(what, false, deadline);
  if (!done) co_return done.error();
  Channel::Parser parser;
  expect_answer(parser, what);
  done = co_await channel.receive(parser, deadline);
  if (!done) co_return done.error();
  co_return to_answer(parser);
}

struct LineStream::State {
  State(Executor e, Clock& c) : executor(e), clock(c) {
    parser.header_limit(kMaxHead);
    parser.body_limit(boost::none);
    parser.eager(true);
  }

  /// What has come of the body since the last look.
  void take_body() {
    pending += parser.get().body();
    parser.get().body().clear();
  }

  Executor executor;
  Clock& clock;
  std::optional<Channel> channel;  // since open()
  Channel::Parser parser;
  std::string pending;       // what has come and is not yet given out
  std::size_t searched = 0;  // no newline in pending before this
  bool closed = false;
};

LineStream::LineStream(Executor executor, Clock& clock)
    : state_(std::make_unique<State>(executor, clock)) {}

LineStream::~LineStream() = default;

Task<Result<unsigned>> LineStream::open(Peer to, Ask what, TimePoint deadline) {
  State& state = *state_;
  if (state.closed) co_return ErrorCode(asio::error::operation_aborted);
  Channel& channel = state.channel.emplace(state.executor, state.clock, std::move(to));
  Result<> done = co_await channel.open(deadline);
  if (done) done = co_await channel.send(what, false, deadline);
  if (done) done = co_await channel.receive_head(state.parser, deadline);
  if (!done) co_return done.error();
  state.take_body();
  co_return state.parser.get().result_int();
}

std::string LineStream::header(std::string_view name) const {
  return std::string(state_->parser.get()[boost::beast::string_view(name.data(), name.size())]);
}

Task<Result<std::optional<std::string>>> LineStream::read_line(TimePoint deadline) {
  State& state = *state_;
  for (;;) {
    const auto newline = state.pending.find('\n', state.searched);
    if (newline != std::string::npos) {
      std::optional<std::string> line = state.pending.substr(0, newline);
      state.pending.erase(0, newline + 1);
      state.searched = 0;
      co_return line;
    }
    state.searched = state.pending.size();
    if (state.parser.is_done()) {
      std::optional<std::string> last;
      if (!state.pending.empty()) last = std::exchange(state.pending, std::string());
      state.searched = 0;
      co_return last;
    }
    if (state.pending.size() > kMaxLine) co_return make_error_code(FlowError::bad_message);
    if (!state.channel) co_return make_error_code(FlowError::disconnected);
    const Result<> done = co_await state.channel->receive_some(state.parser, deadline);
    state.take_body();
    if (!done) co_return done.error();
  }
}

void LineStream::close() noexcept {
  state_->closed = true;
  if (state_->channel) state_->channel->close();
}

}  // namespace pilotlight::control
