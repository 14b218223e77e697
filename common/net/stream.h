#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/base/task.h"

namespace pilotlight {

using tcp = asio::ip::tcp;

/// A plain TCP connection on its shard's loop. It has no clock of its own: who owns it cancels it
/// when a Deadline comes.
using TcpStream = asio::basic_stream_socket<tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<tcp, Executor>;

/// Ends what waits on a TcpStream, given as a `void*`: the callback of a Deadline or an
/// Interruption::Target.
inline void cancel_stream(void* stream) noexcept {
  boost::system::error_code ignored;  // what waits ends either way
  static_cast<TcpStream*>(stream)->cancel(ignored);
}

/// The same, and ends whatever would wait next: a cancel alone can come between two steps of one
/// operation, and be lost. The connection is of no use afterwards.
inline void end_stream(void* stream) noexcept {
  boost::system::error_code ignored;  // it ends either way
  static_cast<TcpStream*>(stream)->shutdown(tcp::socket::shutdown_both, ignored);
  cancel_stream(stream);
}

}  // namespace pilotlight
