#include "common/control/client.h"

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/lexical_cast.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "common/net/socket_facts.h"

namespace pilotlight::control {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Stream = beast::basic_stream<asio::ip::tcp, Executor>;
using Parser = http::response_parser<http::string_body>;
using Message = http::request<http::string_body>;
using IdleSeconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
using ProbeSeconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
using Probes = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;

constexpr std::uint64_t kMaxBody = 64 * 1024 * 1024;
constexpr std::size_t kMaxLine = 16 * 1024 * 1024;  // a Kubernetes object is at most 1.5 MiB
constexpr std::uint32_t kMaxHead = 64 * 1024;

ErrorCode named(ErrorCode ec) {
  if (ec == beast::error::timeout) return make_error_code(FlowError::deadline_exceeded);
  return ec;
}

/// Lets the kernel notice, within half a minute, a peer that vanished without a word: a watch may
/// rightly be silent for longer than any deadline of ours.
void keep_alive(Stream& stream) {
  ErrorCode ignored;
  auto& socket = stream.socket();
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(IdleSeconds(15), ignored);
  socket.set_option(ProbeSeconds(5), ignored);
  socket.set_option(Probes(3), ignored);
}

void arm(Stream& stream, const Clock& clock, TimePoint deadline) {
  if (deadline == TimePoint::max()) {
    stream.expires_never();
  } else {
    stream.expires_after(std::max(deadline - clock.now(), Duration::zero()));
  }
}

Message to_message(const asio::ip::tcp::endpoint& to, Ask what, bool keep_alive) {
  Message message;
  message.version(11);
  message.method_string(what.method);
  message.target(what.target);
  message.set(http::field::host, boost::lexical_cast<std::string>(to));
  message.set(http::field::user_agent, "pilotlight");
  for (const auto& [name, value] : what.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  message.body() = std::move(what.body);
  message.prepare_payload();
  return message;
}

/// Connects, if it is not yet, and sends; the stream's own deadline bounds it.
Task<Result<>> send(Stream& stream, const asio::ip::tcp::endpoint& to, const Message& message) {
  if (!stream.socket().is_open()) {
    const auto [refused] = co_await stream.async_connect(to, use_tuple);
    if (refused) co_return named(refused);
    ErrorCode ignored;
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  }
  const auto [ec, n] = co_await http::async_write(stream, message, use_tuple);
  if (ec) co_return named(ec);
  co_return Result<>();
}

void limit(Parser& parser, bool head_only) {
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  parser.skip(head_only);
}

Answer to_answer(Parser& parser) {
  Answer answer;
  answer.status = parser.get().result_int();
  for (const auto& field : parser.get()) {
    std::string name(field.name_string());
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    answer.headers[std::move(name)] = std::string(field.value());
  }
  answer.body = std::move(parser.get().body());
  return answer;
}

}  // namespace

Task<Result<Answer>> ask(Executor executor, Clock& clock, asio::ip::tcp::endpoint to, Ask what,
                         TimePoint deadline) {
  Stream stream(executor);
  arm(stream, clock, deadline);
  const bool head_only = what.method == "HEAD";
  const Message message = to_message(to, std::move(what), false);
  const Result<> sent = co_await send(stream, to, message);
  if (!sent) co_return sent.error();

  Parser parser;
  limit(parser, head_only);
  beast::flat_buffer buffer;
  const auto [ec, n] = co_await http::async_read(stream, buffer, parser, use_tuple);
  if (ec) co_return named(ec);
  co_return to_answer(parser);
}

class KeptConnections::Connection {
 public:
  explicit Connection(Executor executor) : stream(executor) {}

  [[nodiscard]] bool usable() { return idle_and_open(stream.socket().native_handle()); }

  Stream stream;
  beast::flat_buffer buffer;
};

KeptConnections::KeptConnections(Executor executor, Clock& clock, asio::ip::tcp::endpoint to,
                                 std::size_t keep)
    : executor_(executor), clock_(clock), to_(to), keep_(keep) {}

KeptConnections::~KeptConnections() = default;

std::unique_ptr<KeptConnections::Connection> KeptConnections::take() {
  while (!idle_.empty()) {
    std::unique_ptr<Connection> last = std::move(idle_.back());
    idle_.pop_back();
    if (last->usable()) return last;
  }
  return std::make_unique<Connection>(executor_);
}

void KeptConnections::put_back(std::unique_ptr<Connection> connection) {
  if (idle_.size() >= keep_ || connection->buffer.size() != 0) return;
  connection->stream.expires_never();
  idle_.push_back(std::move(connection));
}

Task<Result<Answer>> KeptConnections::ask(Ask what, TimePoint deadline) {
  std::unique_ptr<Connection> connection = take();
  arm(connection->stream, clock_, deadline);
  const bool head_only = what.method == "HEAD";
  const Message message = to_message(to_, std::move(what), true);
  const Result<> sent = co_await send(connection->stream, to_, message);
  if (!sent) co_return sent.error();

  Parser parser;
  limit(parser, head_only);
  const auto [ec, n] =
      co_await http::async_read(connection->stream, connection->buffer, parser, use_tuple);
  if (ec) co_return named(ec);
  if (parser.keep_alive()) put_back(std::move(connection));
  co_return to_answer(parser);
}

struct LineStream::State {
  State(Executor executor, Clock& c) : clock(c), stream(executor) { parser.header_limit(kMaxHead); }

  Clock& clock;
  Stream stream;
  Parser parser;
  beast::flat_buffer buffer;
  std::string pending;       // what has come and is not yet given out
  std::size_t searched = 0;  // no newline in pending before this
};

LineStream::LineStream(Executor executor, Clock& clock)
    : state_(std::make_unique<State>(executor, clock)) {}

LineStream::~LineStream() = default;

Task<Result<unsigned>> LineStream::open(asio::ip::tcp::endpoint to, Ask what, TimePoint deadline) {
  State& state = *state_;
  arm(state.stream, state.clock, deadline);
  state.parser.body_limit(boost::none);
  const Message message = to_message(to, std::move(what), false);
  const Result<> sent = co_await send(state.stream, to, message);
  if (!sent) co_return sent.error();
  keep_alive(state.stream);
  const auto [ec, n] =
      co_await http::async_read_header(state.stream, state.buffer, state.parser, use_tuple);
  if (ec) co_return named(ec);
  co_return state.parser.get().result_int();
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
    if (!state.stream.socket().is_open()) co_return make_error_code(FlowError::disconnected);
    arm(state.stream, state.clock, deadline);
    const auto [ec, n] =
        co_await http::async_read_some(state.stream, state.buffer, state.parser, use_tuple);
    state.pending += state.parser.get().body();
    state.parser.get().body().clear();
    if (ec) co_return named(ec);
  }
}

void LineStream::close() noexcept { state_->stream.close(); }

}  // namespace pilotlight::control
