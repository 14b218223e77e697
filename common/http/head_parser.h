#pragma once

#include <string_view>

#include "common/base/error.h"
#include "common/http/head.h"

namespace pilotlight::http {

/// Parses a request head in place. The grammar is Beast's (basic_parser); what is added refuses
/// whatever two hops could frame differently (RFC 9112): no Host, several, or another than the
/// target's, obs-fold, a length together with chunked, transfer codings other than chunked alone,
/// bare CR or LF.
///
/// @return how many bytes the head takes, with `head` filled in; 0 when `bytes` end before the head
/// does; bad_message, or head_too_large when the limit (64 KiB) is reached without an end.
/// Allocates nothing for up to 16 fields of interest. About 2,000 instructions.
[[nodiscard]] Result<std::size_t> parse_request(std::string_view bytes, RequestHead& head);

/// The same for a response. `to_head_request`: the answer to HEAD has no body.
[[nodiscard]] Result<std::size_t> parse_response(std::string_view bytes, bool to_head_request,
                                                 ResponseHead& head);

/// Whether `name` is a member of the comma-separated list `value`, ignoring case.
[[nodiscard]] bool has_token(std::string_view value, std::string_view name) noexcept;

/// ASCII case-insensitive equality.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

/// The next element of a comma-separated list, trimmed; removes it from `list`.
[[nodiscard]] std::string_view next_element(std::string_view& list) noexcept;

}  // namespace pilotlight::http
