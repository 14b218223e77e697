#pragma once

#include <string_view>

namespace pilotlight::proxy {

/// The value of the first field of that name (any case) in a whole head, without white space around
/// it; "" when it is not there. For fields that no hop acts on; the others are in Head::fields.
[[nodiscard]] std::string_view field_value(std::string_view head, std::string_view name) noexcept;

}  // namespace pilotlight::proxy
