#pragma once

#include <string>

namespace pilotlight::cli {

/// `pilotlight decide FILE [--check]`: takes the decisions of a recorded run again and prints them,
/// one JSON line a tick. With `check` prints only the first one that differs from the file's, with
/// both answers and the inputs. FILE is a recorded run, or what an autoscaler has written
/// (`--decision-file`), in which every decision has all its inputs with it, or a recording
/// (`--recording`): then the turns of all processes in it are taken again as those of one, and
/// `check` asks for the same numbers within one turn.
/// @return the exit code: 0; 1 for a difference; 78 for a file that cannot be read or understood.
[[nodiscard]] int decide_file(const std::string& file, bool check);

}  // namespace pilotlight::cli
