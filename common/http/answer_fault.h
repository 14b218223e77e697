#pragma once

#include <string_view>
#include <type_traits>

#include "common/base/error.h"
#include "common/http/head.h"

namespace pilotlight::http {

/// What is wrong with an upstream's answer that cannot be passed on: the reason of a 502. The
/// messages go on behind "the app ...".
enum class AnswerFault {
  no_answer = 1,     ///< The connection ended before the first byte of a final answer.
  head_cut_short,    ///< It ended inside the head.
  status_line,       ///< The first line is no status line.
  field,             ///< A later line is no header field, or Connection is no list.
  ambiguous_length,  ///< Lengths and transfer codings that two hops could read differently.
  head_too_large,    ///< Too many bytes or fields.
  chunk,             ///< The body's chunks cannot be told apart.
  unasked_switch,    ///< 101 to a request that did not ask for that protocol.
};

[[nodiscard]] ErrorCode make_error_code(AnswerFault fault) noexcept;

/// The category of AnswerFault; its name is "answer".
[[nodiscard]] const boost::system::error_category& answer_category() noexcept;

/// Why parse_response() has refused `bytes` with `error`; `head` is what it has left behind. Only
/// once something has failed: it reads the status line again.
[[nodiscard]] AnswerFault fault_of_head(std::string_view bytes, const ResponseHead& head,
                                        const ErrorCode& error) noexcept;

}  // namespace pilotlight::http

template <>
struct boost::system::is_error_code_enum<pilotlight::http::AnswerFault> : std::true_type {};
