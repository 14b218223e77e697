#pragma once

namespace pilotlight {

/// Prints what was broken, and where, to stderr and aborts. Called by PILOTLIGHT_CHECK only.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace pilotlight

/// An invariant of our own accounting (permits, in-flight counts): holds in release builds too.
/// A broken one ends the process, because going on would break a promise silently. Never used on
/// what a peer sent.
#define PILOTLIGHT_CHECK(expression)   \
  ((expression) ? static_cast<void>(0) \
                : ::pilotlight::check_failed(#expression, __FILE__, __LINE__))
