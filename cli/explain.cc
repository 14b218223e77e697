#include "cli/explain.h"

#include <cerrno>
#include <cstdio>
#include <limits>
#include <optional>

#include "cli/explanation.h"
#include "cli/line_file.h"
#include "common/base/system_clock.h"
#include "config/scalars.h"
#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

/// Takes every line; false, said on standard error, when the file is there and cannot be read.
bool take_all(LineFile& file, const std::string& path, Explanation& explanation) {
  for (std::string line; file.next(line);) explanation.take(line);
  if (file.error() == 0 || file.error() == ENOENT) return true;
  say_unreadable(path, file.error());
  return false;
}

/// Both files of the log. The newest may become the one before it at any time, so both are opened
/// before one is read, and again if that has happened in between.
bool read_log(const std::string& newest, Explanation& explanation) {
  const std::string before = newest + ".1";
  std::optional<LineFile> second(newest);
  std::optional<LineFile> first(before);
  for (int tries = 0; tries < 3 && second->error() == 0 && !second->is_at(newest); ++tries) {
    second.emplace(newest);
    first.emplace(before);
  }
  const bool whole = take_all(*first, before, explanation);
  return take_all(*second, newest, explanation) && whole;
}

}  // namespace

std::optional<std::int64_t> since_of(const ExplainOptions& options) {
  if (options.since.empty()) return std::numeric_limits<std::int64_t>::min();
  const auto since = config::parse_duration(options.since);
  if (!since || since->count() < 0) {
    std::fprintf(stderr, "pilotlight: --since: got \"%s\", expected a duration, as 10m\n",
                 options.since.c_str());
    return std::nullopt;
  }
  return (wall_clock_ns() - since->count()) / 1'000'000;
}

int explain(const fs::path& state_dir, const ExplainOptions& options) {
  const auto since_ms = since_of(options);
  if (!since_ms) return 78;
  Explanation explanation(options, *since_ms);
  const std::string newest = state_dir / local::kDecisionFile;
  const bool whole = read_log(newest, explanation);
  // Half of a story would be told as if it were all of it.
  if (!whole && explanation.services().empty()) return 1;
  const int code = print(explanation, options, newest);
  return whole || code != 0 ? code : 1;
}

}  // namespace pilotlight::cli
