#include "bench/stub_api.h"

#include <string_view>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json.hpp>

#include "common/net/listener.h"

namespace pilotlight::bench {
namespace {

namespace http = boost::beast::http;
using nlohmann::json;

constexpr std::string_view kDeployments = "/apis/apps/v1/";
constexpr std::string_view kScale = "/scale";
constexpr std::size_t kReserved = 4096;  // PATCHes that are noted without moving the others

json object_of(const StubApi::Deployment& deployment) {
  const json concurrency = {
      {"pilotlight.dev/container-concurrency", std::to_string(deployment.container_concurrency)}};
  json out;
  out["metadata"] = {{"name", deployment.name},
                     {"namespace", deployment.name_space},
                     {"generation", 1},
                     {"resourceVersion", "1"},
                     {"labels", {{"pilotlight.dev/inject", "true"}}},
                     {"annotations", deployment.annotations}};
  out["spec"]["replicas"] = deployment.replicas;
  out["spec"]["template"]["metadata"]["annotations"] = concurrency;
  return out;
}

std::string answer_of(unsigned status, std::string_view body, std::string_view header = {}) {
  std::string out =
      "HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: application/json\r\n";
  out += header;
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

}  // namespace

class StubApi::Acceptor {
 public:
  Acceptor(Executor executor, Clock& clock, Listener::OnConnection take)
      : listener(executor, clock, std::move(take)) {}
  Listener listener;
};

class StubApi::Connection {
 public:
  Connection(Socket s, Clock& clock) : socket(std::move(s)), pause(clock.make_timer()) {}

  void close() noexcept {
    ErrorCode ignored;  // closed is closed
    socket.close(ignored);
    pause->cancel();
  }
  void reset() noexcept {
    ErrorCode ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    close();
  }

  Socket socket;
  std::unique_ptr<Timer> pause;
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  bool idle = true;
  bool patched = false;
};

StubApi::StubApi(Executor executor, Clock& clock)
    : executor_(executor), clock_(clock), scope_(executor) {
  patches_.reserve(kReserved);
  acceptor_ = std::make_unique<Acceptor>(executor_, clock_,
                                         [this](Socket socket) { accept(std::move(socket)); });
}

StubApi::~StubApi() = default;

void StubApi::add(Deployment deployment) {
  std::string name = deployment.name;
  deployments_[std::move(name)] = std::move(deployment);
}

Result<asio::ip::tcp::endpoint> StubApi::listen(const asio::ip::tcp::endpoint& where) {
  const Result<> bound = acceptor_->listener.bind(where, false);
  if (bound.has_error()) return bound.error();
  scope_.spawn(acceptor_->listener.run());
  return acceptor_->listener.local();
}

Task<> StubApi::stop() {
  acceptor_->listener.close();
  for (const auto& connection : connections_) connection->close();
  co_await scope_.join();
}

void StubApi::close_idle() noexcept {
  for (const auto& connection : connections_) {
    if (connection->idle) connection->close();
  }
}

void StubApi::accept(Socket socket) {
  const auto place = connections_.insert(connections_.end(),
                                         std::make_unique<Connection>(std::move(socket), clock_));
  scope_.spawn(serve(place));
}

Task<> StubApi::serve(Connections::iterator place) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Connection& connection = **place;
  for (bool more = true; more && connection.socket.is_open();) {
    connection.idle = true;
    connection.request = http::request<http::string_body>();
    const auto [ec, n] = co_await http::async_read(connection.socket, connection.buffer,
                                                   connection.request, use_tuple);
    connection.idle = false;
    if (ec) break;
    more = co_await answer(connection);
  }
  connections_.erase(place);
}

Task<bool> StubApi::answer(Connection& connection) {
  const std::string target(connection.request.target());
  if (connection.request.method() == http::verb::patch && target.ends_with(kScale)) {
    const auto end = target.size() - kScale.size();
    const auto begin = target.rfind('/', end - 1) + 1;
    const std::string name = target.substr(begin, end - begin);
    co_return co_await take_patch(connection, name);
  }
  if (target.find("watch=true") != std::string::npos) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    co_await asio::async_write(connection.socket, asio::buffer(head), use_tuple);
    if (on_watch_) on_watch_(target);
    char byte = 0;  // nothing follows until the client or stop() ends it
    co_await connection.socket.async_read_some(asio::buffer(&byte, 1), use_tuple);
    co_return false;
  }
  const std::string bytes = answer_of(200, list(target));
  const auto [ec, n] =
      co_await asio::async_write(connection.socket, asio::buffer(bytes), use_tuple);
  co_return !ec && connection.request.keep_alive();
}

std::string StubApi::list(std::string_view target) const {
  json out = {{"metadata", {{"resourceVersion", "1"}}}, {"items", json::array()}};
  if (target.starts_with(kDeployments)) {
    for (const auto& [name, deployment] : deployments_) {
      out["items"].push_back(object_of(deployment));
    }
  }
  return out.dump();
}

Task<bool> StubApi::take_patch(Connection& connection, const std::string& name) {
  Patch patch;
  patch.name = name;
  patch.arrived = clock_.now();
  const json body = json::parse(connection.request.body(), nullptr, false);
  patch.replicas = body.value("/spec/replicas"_json_pointer, -1);
  if (!connection.patched) ++patch_connections_;
  connection.patched = true;
  std::optional<Fault> fault;
  if (trouble_) fault = trouble_(patch);
  const auto found = deployments_.find(name);
  const bool known = found != deployments_.end();
  patch.taken = known && (!fault || fault->kind == Fault::Kind::lost_answer);
  if (patch.taken) found->second.replicas = patch.replicas;
  patches_.push_back(patch);
  if (on_patch_) on_patch_(patch);

  if (latency_ > Duration::zero()) co_await connection.pause->wait_until(clock_.now() + latency_);
  if (fault && fault->kind == Fault::Kind::silence) {
    co_await connection.pause->wait_until(TimePoint::max());
    co_return false;
  }
  if (fault && fault->kind != Fault::Kind::status) {
    connection.reset();
    co_return false;
  }
  std::string bytes;
  if (fault) {
    std::string header;
    if (fault->retry_after_seconds) {
      header = "Retry-After: " + std::to_string(*fault->retry_after_seconds) + "\r\n";
    }
    const json status = {{"kind", "Status"}, {"message", fault->message}};
    bytes = answer_of(fault->status, status.dump(), header);
  } else if (known) {
    const json scale = {{"kind", "Scale"}, {"spec", {{"replicas", patch.replicas}}}};
    bytes = answer_of(200, scale.dump());
  } else {
    bytes = answer_of(404, R"({"kind":"Status"})");
  }
  const auto [ec, n] =
      co_await asio::async_write(connection.socket, asio::buffer(bytes), use_tuple);
  co_return !ec && connection.request.keep_alive();
}

std::optional<std::int32_t> StubApi::replicas(const std::string& name) const {
  const auto found = deployments_.find(name);
  if (found == deployments_.end()) return std::nullopt;
  return found->second.replicas;
}

}  // namespace pilotlight::bench
