#pragma once

#include <vector>

#include <sys/types.h>

namespace pilotlight::local {

/// Every process whose chain of parents leads to `root`, without `root`, zombies included, as /proc
/// says now. A process that has changed its session or its group is found like any other.
[[nodiscard]] std::vector<pid_t> descendants(pid_t root);

/// The children of `parent` only.
[[nodiscard]] std::vector<pid_t> children(pid_t parent);

/// Kills and reaps every descendant of the calling process until it has no child left. The caller
/// must be a child subreaper (PR_SET_CHILD_SUBREAPER), so that orphans become its children instead
/// of escaping. Returns after a few milliseconds, longer only when the kernel keeps a process in an
/// uninterruptible wait; gives up after `rounds` of about 1 ms.
void kill_all_descendants(int rounds = 5000);

}  // namespace pilotlight::local
