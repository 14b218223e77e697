#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/base/task.h"

namespace pilotlight::test {

/// A loopback port that is nobody else's while this lives: bound, but not listened on. A connect to
/// it is refused. Who binds it with SO_REUSEADDR, as our servers do, can listen there, leave and
/// come back; a bind of port 0 and a connect, in whatever process, are never given it.
class HeldPort {
 public:
  HeldPort() {
    socket_.open(asio::ip::tcp::v4());
    socket_.set_option(asio::socket_base::reuse_address(true));
    socket_.bind(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  }

  [[nodiscard]] asio::ip::tcp::endpoint endpoint() const { return socket_.local_endpoint(); }

 private:
  asio::io_context unused_{1};
  asio::ip::tcp::socket socket_{unused_};
};

}  // namespace pilotlight::test
