#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pilotlight {

namespace asio = boost::asio;

/// The concrete executor of a shard. Naming it keeps the type erasure of any_io_executor
/// out of every socket, timer and coroutine frame.
using Executor = asio::io_context::executor_type;

/// What a function returns when calling it may suspend.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// For code below Clock only; everything else waits on a pilotlight::Timer.
using ShardTimer = asio::steady_timer::rebind_executor<Executor>::other;

/// Completion token for I/O. Errors arrive as values: auto [ec, n] = co_await s.async_x(b,
/// use_tuple);
inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

}  // namespace pilotlight
