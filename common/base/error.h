#pragma once

#include <string>
#include <type_traits>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace pilotlight {

using ErrorCode = boost::system::error_code;

/// A value, or why there is none. 24 bytes, no allocation. Codes of Asio and Beast pass through
/// untouched; ours are FlowError.
template <class T = void>
using Result = boost::system::result<T>;

/// Everything that can end a request, or a message between our programs, short of its answer.
enum class FlowError {
  queue_full = 1,        ///< The waiting room is full, in count or in bytes.
  deadline_exceeded,     ///< The request's own deadline came.
  draining,              ///< This process takes nothing new.
  downstream_gone,       ///< The client left.
  upstream_refused,      ///< No connection to the upstream: nothing was started.
  upstream_not_started,  ///< The upstream died before it acknowledged a byte: nothing was started.
  upstream_failed,       ///< The upstream failed after it may have started.
  bad_message,           ///< A peer's HTTP message that cannot be framed or is refused.
  head_too_large,        ///< A message head beyond the limit.
  not_found,             ///< No such revision, object or path.
  bad_frame,             ///< A wire frame that does not decode.
  protocol,              ///< A peer that breaks the order of messages.
  unauthorized,          ///< Wrong or missing credentials.
  conflict,              ///< The object changed meanwhile (HTTP 409).
  gone,                  ///< The version asked for is too old (HTTP 410).
  unexpected_status,     ///< A control-path peer answered with a status that was not expected.
  disconnected,          ///< The connection this depends on is not up.
};

[[nodiscard]] ErrorCode make_error_code(FlowError error) noexcept;

/// The category of FlowError; its name is "pilotlight".
[[nodiscard]] const boost::system::error_category& flow_category() noexcept;

}  // namespace pilotlight

template <>
struct boost::system::is_error_code_enum<pilotlight::FlowError> : std::true_type {};
