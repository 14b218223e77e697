#pragma once

#include <string_view>

#include "common/base/error.h"
#include "common/http/head.h"
#include "common/http/head_grammar.h"

namespace pilotlight::http {

/// Parses a request head in place (why not with Beast's parser: docs/adr/0008). Refuses whatever
/// two hops could frame differently (RFC 9112): no Host, several, or another than the target's,
/// obs-fold, a length together with chunked, transfer codings other than one chunked, bare CR or
/// LF, control characters.
///
/// @return how many bytes the head takes, with `head` filled in; 0 when `bytes` end before the head
/// does; bad_message, or head_too_large beyond 64 KiB. Allocates nothing for up to
/// 16 fields of interest. About 600 instructions.
[[nodiscard]] Result<std::size_t> parse_request(std::string_view bytes, RequestHead& head);

/// The same for a response. `to_head_request`: the answer to HEAD has no body.
[[nodiscard]] Result<std::size_t> parse_response(std::string_view bytes, bool to_head_request,
                                                 ResponseHead& head);

/// Whether `name` is a member of the comma-separated list `value`, ignoring case.
[[nodiscard]] bool has_token(std::string_view value, std::string_view name) noexcept;

/// The next element of a comma-separated list, trimmed; removes it from `list`.
[[nodiscard]] std::string_view next_element(std::string_view& list) noexcept;

}  // namespace pilotlight::http
