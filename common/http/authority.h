#pragma once

#include "common/http/head.h"

namespace pilotlight::http {

/// Whether every hop finds the same host, and the same kind of request, in this head: its target is
/// a path, or `*` of OPTIONS, or an absolute http(s) URI whose authority is what Host says; Host
/// has no character that RFC 3986 does not give it. CONNECT is not: its answer has no framing of
/// ours. How many Host fields there are is not looked at. Pure.
[[nodiscard]] bool host_is_clear(const RequestHead& head) noexcept;

/// Whether this `Upgrade` leaves HTTP/1.1 for something that is not HTTP: a websocket, say. h2c
/// would carry requests past this hop, so a hop of ours never passes it on.
[[nodiscard]] bool upgrade_leaves_http(std::string_view upgrade) noexcept;

}  // namespace pilotlight::http
