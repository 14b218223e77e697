#pragma once

#include <cstddef>

namespace pilotlight {

/// Lets this process have as many descriptors as its hard limit allows: the soft one is 1,024 by
/// old custom, which a program with a connection per replica outgrows. Call it once, at the start.
/// @return how many it may have now.
std::size_t raise_descriptor_limit() noexcept;

}  // namespace pilotlight
