#pragma once

#include <optional>
#include <string_view>

#include "common/wire/frames.h"
#include "common/wire/gate.h"

namespace pilotlight::wire {

/// Whether that role may send that frame, once it has said HELLO.
[[nodiscard]] bool may_send(Role role, FrameType type) noexcept;

/// What can be said against a HELLO without asking anybody: its version, and its token where it
/// must be `token`, which is compared in constant time; "" is any.
[[nodiscard]] std::optional<Objection> object_to(const Hello& hello, std::string_view token);

}  // namespace pilotlight::wire
