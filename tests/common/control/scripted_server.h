#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/this_coro.hpp>

#include "common/async/scope.h"
#include "common/net/tls.h"

namespace pilotlight::test {

/// An HTTP server of which a test writes every byte, with TLS or without. Requests are read to the
/// end of their Content-Length. Loopback, any port; lives in `scope`, call stop() before that ends.
class ScriptedServer {
 public:
  /// What to send for a request (head and body). "" closes the connection instead. What ends with
  /// kCut is sent and the connection closed behind it.
  using Script = std::function<std::string(const std::string& request)>;
  static constexpr char kCut = '\0';

  ScriptedServer(Executor executor, Scope& scope, Script script,
                 std::shared_ptr<const TlsContext> tls = nullptr)
      : scope_(scope), script_(std::move(script)), tls_(std::move(tls)), acceptor_(executor) {
    const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    acceptor_.open(any.protocol());
    acceptor_.bind(any);
    acceptor_.listen();
    scope_.spawn(accept());
  }

  [[nodiscard]] tcp::endpoint at() const { return acceptor_.local_endpoint(); }
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

  void stop() {
    acceptor_.close();
    drop_connections();
  }

  /// Closes what there is; new ones are accepted as before.
  void drop_connections() {
    for (const auto& each : connections_) {
      ErrorCode ignored;
      each->tcp().cancel(ignored);
      each->tcp().shutdown(tcp::socket::shutdown_both, ignored);
    }
  }

  /// "HTTP/1.1 <status>", these header lines, this body.
  [[nodiscard]] static std::string answer(int status, const std::string& body,
                                          const std::string& headers = "") {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  Task<> accept() {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
      auto [ec, stream] = co_await acceptor_.async_accept(use_tuple);
      if (ec) co_return;
      auto transport = tls_ == nullptr
                           ? std::make_shared<Transport>(std::move(stream))
                           : std::make_shared<Transport>(tls_->accept(std::move(stream)));
      connections_.push_back(transport);
      scope_.spawn(serve(std::move(transport)));
    }
  }

  Task<> serve(std::shared_ptr<Transport> transport) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (tls_ != nullptr) {
      const ErrorCode ec = co_await transport->handshake();
      if (ec) co_return;
    }
    std::string read;
    std::string room(4096, '\0');
    for (;;) {
      const std::size_t size = whole(read);
      if (size > 0) {
        std::string bytes = script_(read.substr(0, size));
        read.erase(0, size);
        const bool cut = bytes.empty() || bytes.back() == kCut;
        if (cut && !bytes.empty()) bytes.pop_back();
        const asio::const_buffer buffer = asio::buffer(bytes);
        const auto [ec, n] = co_await transport->write(buffer);
        if (ec || cut) break;
        continue;
      }
      const asio::mutable_buffer into = asio::buffer(room);
      const auto [ec, n] = co_await transport->read_some(into);
      if (ec) break;
      read.append(room, 0, n);
    }
    ErrorCode ignored;
    transport->tcp().shutdown(tcp::socket::shutdown_both, ignored);
  }

  /// The size of the request that `bytes` begin with, or 0 when it is not whole yet.
  static std::size_t whole(const std::string& bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return 0;
    static const std::string kLength = "Content-Length: ";
    const auto at = bytes.find(kLength);
    std::size_t size = end + 4;
    if (at < end) size += std::stoul(bytes.substr(at + kLength.size()));
    return bytes.size() >= size ? size : 0;
  }

  Scope& scope_;
  Script script_;
  std::shared_ptr<const TlsContext> tls_;
  TcpAcceptor acceptor_;
  std::vector<std::shared_ptr<Transport>> connections_;
};

}  // namespace pilotlight::test
