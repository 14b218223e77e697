#pragma once

#include <cstddef>

#include <sys/types.h>

struct msghdr;

/// recv(2), send(2) and sendmsg(2) of the data path, without what glibc puts around them: in a
/// process with a second thread (ours writes the log) each is a cancellation point, two locked
/// instructions and 70 others, for a pthread_cancel() that nobody calls. Same results and errno.
/// C names, so that a test can wrap them at link time.
extern "C" {
ssize_t pilotlight_recv(int descriptor, void* to, std::size_t size, int flags) noexcept;
ssize_t pilotlight_send(int descriptor, const void* from, std::size_t size, int flags) noexcept;
ssize_t pilotlight_sendmsg(int descriptor, const msghdr* message, int flags) noexcept;
}
