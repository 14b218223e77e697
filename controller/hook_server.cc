#include "controller/hook_server.h"

#include "common/base/log.h"
#include "common/http/body.h"

namespace pilotlight::controller {
namespace {

constexpr std::size_t kMostBytes = 8 * 1024 * 1024;
constexpr std::chrono::seconds kRequestTime{10};  // what the API server waits at the most, too
constexpr std::chrono::minutes kIdleTime{5};

http::LocalReply text_reply(unsigned status, std::string body) {
  http::LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

/// Moves what belongs to the body from the front of `bytes` into `body`.
Result<std::size_t> take(http::BodyScanner& scanner, std::string_view bytes, std::string& body) {
  std::size_t taken = 0;
  while (!scanner.done() && taken < bytes.size()) {
    std::string_view payload;
    const Result<std::size_t> used = scanner.scan_payload(bytes.substr(taken), payload);
    if (!used) return used;
    body += payload;
    taken += *used;
    if (*used == 0) break;
  }
  if (body.size() > kMostBytes) return make_error_code(FlowError::head_too_large);
  return taken;
}

}  // namespace

HookServer::HookServer(http::ShardParts& parts, Answer answer)
    : parts_(parts),
      answer_(std::move(answer)),
      listener_(parts.executor, parts.clock,
                [this](TcpStream stream) { accept(std::move(stream)); }) {}

Result<tcp::endpoint> HookServer::bind(const tcp::endpoint& where) {
  const Result<> bound = listener_.bind(where, /*shared=*/false);
  if (!bound) return bound.error();
  return listener_.local();
}

void HookServer::show(std::shared_ptr<const TlsContext> context) {
  const bool first = context_ == nullptr;
  context_ = std::move(context);
  if (first) parts_.scope.spawn(listener_.run());
}

void HookServer::close() noexcept {
  listener_.close();
  connections_.close();
}

void HookServer::stop() noexcept {
  listener_.close();
  connections_.stop();
}

void HookServer::accept(TcpStream stream) {
  if (connections_.size() >= kMostConnections && !make_place()) {
    const auto held_back = refused_.pass(parts_.clock.now());
    if (held_back) {
      log_warn("webhook connection refused: too many",
               {{"limit", kMostConnections}, {"others", *held_back}});
    }
    return;
  }
  parts_.scope.spawn(serve(context_->accept(std::move(stream))));
}

bool HookServer::make_place() noexcept {
  return strangers_.stop_oldest() || idle_.stop_oldest() || sending_.stop_oldest();
}

Task<> HookServer::serve(Transport stream) {
  http::ServerConnection connection(parts_, std::move(stream));
  const http::ConnectionSet::Member member(connections_, connection);
  Duration patience = kRequestTime;  // whoever connects has something to ask
  http::ConnectionSet* among = &strangers_;
  while (!connection.last()) {
    std::optional<http::ConnectionSet::Member> waits(std::in_place, *among, connection);
    const Result<> read = co_await connection.read_head(parts_.clock.now() + patience);
    waits.emplace(sending_, connection);
    patience = kIdleTime;
    among = &idle_;
    if (!read) {
      const bool speak =
          read.error() == FlowError::bad_message || read.error() == FlowError::head_too_large;
      const http::LocalReply refusal = http::local_reply(read.error());
      if (speak) co_await connection.reply(refusal, true);
      break;
    }
    if (!connection.head().keep_alive || connections_.closing()) connection.close_after();
    const Result<Asked> asked = co_await read_request(connection);
    waits.reset();
    if (!asked) break;
    const http::LocalReply reply = reply_to(*asked);
    const std::string bytes = reply.serialize(!asked->is_head, connection.last(), asked->http10);
    const auto [ec, n] = co_await connection.stream().write(asio::buffer(bytes));
    if (ec || !connection.end_request()) break;
  }
  co_await connection.finish();
}

Task<Result<HookServer::Asked>> HookServer::read_request(http::ServerConnection& connection) {
  http::RequestClocks clocks;
  clocks.total = kRequestTime;
  connection.start_clocks(clocks, parts_.clock.now());
  const Interruption::Target target(connection.interruption(), &cancel_stream,
                                    &connection.stream().tcp());
  const http::RequestHead& head = connection.head();
  Asked asked;
  asked.path = head.target.substr(0, head.target.find('?'));
  asked.is_post = head.method == "POST";
  asked.is_head = head.is_head;
  asked.http10 = head.version == 10;
  http::BodyScanner scanner(head);
  if (head.expects_continue && !scanner.done()) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [ec, n] = co_await connection.stream().write(asio::buffer(kContinue));
    if (ec) co_return ec;
  }
  const Result<std::size_t> early = take(scanner, connection.early_body(), asked.body);
  if (!early) co_return early.error();
  connection.release_request(*early);
  while (!scanner.done()) {
    if (connection.in().empty()) {
      const ErrorCode ec = co_await connection.read_more();
      if (ec) co_return ec;
    }
    const Result<std::size_t> taken = take(scanner, connection.in().view(), asked.body);
    if (!taken) co_return taken.error();
    connection.in().consume(*taken);
  }
  co_return asked;
}

http::LocalReply HookServer::reply_to(const Asked& asked) const {
  if (!asked.is_post) return text_reply(405, "expected POST\n");
  const auto posted = kube::parse_json(asked.body);
  if (!posted) return text_reply(400, "expected JSON\n");
  const auto answer = answer_(asked.path, *posted);
  if (!answer) return text_reply(404, "no such webhook\n");
  http::LocalReply reply = text_reply(200, kube::to_text(*answer));
  reply.content_type = "application/json";
  return reply;
}

}  // namespace pilotlight::controller
