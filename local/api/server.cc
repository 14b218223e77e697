#include "local/api/server.h"

#include <utility>

#include "common/base/check.h"
#include "local/api/discovery.h"
#include "local/api/requests.h"
#include "local/api/watch.h"

namespace pilotlight::local {
namespace {

constexpr const char* kJson = "application/json";
constexpr std::string_view kTokenPrefix = "/t/";
constexpr std::string_view kBearer = "Bearer ";

/// Compares without telling by its time how much was right.
bool same(std::string_view given, std::string_view token) {
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned>(static_cast<unsigned char>(c ^ token[i]));
  }
  return difference == 0;
}

bool is_health_page(std::string_view path) {
  return path == "/healthz" || path == "/readyz" || path == "/livez";
}

}  // namespace

struct ApiServer::State {
  State(Executor executor, Clock& c, ApiStore& s, Options o)
      : clock(c),
        store(s),
        options(std::move(o)),
        server(executor, c, [this](const control::Request& request, control::Reply& reply) {
          return handle(request, reply);
        }) {}

  [[nodiscard]] Task<> handle(const control::Request& request, control::Reply& reply);
  [[nodiscard]] Task<> serve(const control::Request& request, control::Reply& reply);
  [[nodiscard]] bool authorize(control::Request& request) const;
  [[nodiscard]] Outcome answer_page(const control::Request& request);

  Clock& clock;
  ApiStore& store;
  Options options;
  control::Server server;
  bool stopping = false;
};

/// Whether the request has the token. A token in the path is taken out of it.
bool ApiServer::State::authorize(control::Request& request) const {
  std::string_view path = request.path;
  if (path.starts_with(kTokenPrefix)) {
    path.remove_prefix(kTokenPrefix.size());
    const auto slash = std::min(path.find('/'), path.size());
    if (!same(path.substr(0, slash), options.token)) return false;
    std::string rest(path.substr(slash));
    request.path = rest.empty() ? "/" : std::move(rest);
    return true;
  }
  const std::string_view header = request.header("authorization");
  if (header.starts_with(kBearer) && same(header.substr(kBearer.size()), options.token))
    return true;
  return is_health_page(path) || path == "/version";
}

Outcome ApiServer::State::answer_page(const control::Request& request) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (get) {
    std::optional<Json> page = discover(request.path, options.version);
    if (page) {
      Outcome outcome;
      outcome.body = std::move(*page);
      return outcome;
    }
  }
  const std::optional<Target> target = parse_target(request.path);
  return target ? answer(store, *target, request) : refused(no_such_path());
}

Task<> ApiServer::State::handle(const control::Request& request, control::Reply& reply) {
  control::Request inner = request;
  if (!authorize(inner)) {
    std::string body = kube::to_text(unauthorized().to_json());
    const Result<> sent = co_await reply.send(401, kJson, std::move(body));
    static_cast<void>(sent);
    co_return;
  }
  co_await serve(inner, reply);
}

Task<> ApiServer::State::serve(const control::Request& request, control::Reply& reply) {
  Result<> sent;
  if (is_health_page(request.path)) {
    sent = co_await reply.send(200, "text/plain", "ok");
    co_return;
  }
  if (request.path.starts_with("/pilotlight/") && options.own_pages) {
    co_await options.own_pages(request, reply);
    co_return;
  }
  const std::string_view wants_watch = request.param("watch");
  if (request.method == "GET" && (wants_watch == "true" || wants_watch == "1")) {
    std::optional<Target> target = parse_target(request.path);
    if (target && target->subresource.empty()) {
      co_await watch(store, clock, stopping, std::move(*target), request, reply);
      co_return;
    }
  }
  const Outcome outcome = answer_page(request);
  std::string body = kube::to_text(outcome.body);
  sent = co_await reply.send(outcome.code, kJson, std::move(body));
}

ApiServer::ApiServer(Executor executor, Clock& clock, ApiStore& store, Options options)
    : state_(std::make_unique<State>(executor, clock, store, std::move(options))) {
  PILOTLIGHT_CHECK(!state_->options.token.empty());
}

ApiServer::~ApiServer() = default;

Result<control::Endpoint> ApiServer::listen(const control::Endpoint& where) {
  return state_->server.listen(where);
}

Task<> ApiServer::stop() {
  state_->stopping = true;
  co_await state_->server.stop();
}

}  // namespace pilotlight::local
