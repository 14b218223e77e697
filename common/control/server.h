#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "common/async/scope.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight::control {

using Endpoint = asio::ip::tcp::endpoint;

/// A whole request of the control path: admin pages, the Kubernetes API, events. Speed does not
/// matter here; the data path never uses it.
struct Request {
  std::string method;                          ///< "GET", ...
  std::string path;                            ///< Percent-decoded, without the query.
  std::map<std::string, std::string> query;    ///< Decoded; a name without `=` has the value "".
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;                            ///< At most 3 MiB; a longer one was answered 413.

  /// The value, or "" when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] std::string_view param(std::string_view name) const;
};

/// The answer to one Request: either one send(), or begin() + write()... + finish() for streams
/// (chunked). A handler that returns without answering sends 500.
class Reply {
 public:
  virtual ~Reply() = default;
  [[nodiscard]] virtual Task<Result<>> send(unsigned status, std::string_view content_type,
                                            std::string body) = 0;
  [[nodiscard]] virtual Task<Result<>> begin(unsigned status, std::string_view content_type) = 0;
  /// One chunk, flushed. An error means that the peer is gone: return.
  [[nodiscard]] virtual Task<Result<>> write(std::string piece) = 0;
  [[nodiscard]] virtual Task<Result<>> finish() = 0;
  /// Calls `what`, once and on this shard, when the peer closes its side before the handler has
  /// ended: for handlers that wait. Set it once per request; `what` lives until the handler ends.
  virtual void when_gone(std::function<void()> what);
};

/// Handlers run as tasks of the server's scope, several at a time, on its shard; both references
/// are good until the handler ends. They must end soon after stop(), which cancels the wait at hand
/// (a Timer says false) and closes the connection: a handler that waits in a loop ends at the first
/// error or cancelled wait. An exception that leaves a handler is answered 500.
using Handler = std::function<Task<>(const Request&, Reply&)>;

/// An HTTP/1.1 server for the control path (Beast). Lives on one shard; at most 256 connections at
/// once, each bounded by 60 s to send a request.
class Server {
 public:
  Server(Executor executor, Clock& clock, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and starts accepting. @return where (the port that was picked, if 0 was asked for).
  [[nodiscard]] Result<Endpoint> listen(const Endpoint& where);

  /// Stops accepting, cancels what runs, waits for it. Call before the destructor.
  [[nodiscard]] Task<> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::control
