#include "cli/explain.h"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <limits>

#include <fmt/format.h>

#include "cli/sentences.h"
#include "common/base/system_clock.h"
#include "common/kube/json.h"
#include "config/scalars.h"
#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

std::string local_time(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%F %T", &parts);
  return std::string(text, length);
}

bool is_about(const kube::Json& event, const std::string& service) {
  const std::string name(kube::text(event, {"service"}));
  return service == name || service == std::string(kube::text(event, {"namespace"})) + "/" + name;
}

}  // namespace

std::optional<std::string> explain_line(std::string_view line, const ExplainOptions& options,
                                        std::int64_t since_ms) {
  const auto event = kube::parse_json(line);
  if (!event || !is_about(*event, options.service)) return std::nullopt;
  const std::int64_t ms = kube::integer(*event, {"ms"}).value_or(0);
  if (ms < since_ms) return std::nullopt;
  if (options.json) return std::string(line) + "\n";
  const std::string sentence = sentence_of(*event);
  if (sentence.empty()) return std::nullopt;
  return fmt::format("{}  {:<10}  {}\n", local_time(ms), topic_of(*event), sentence);
}

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
  std::size_t told = 0;
  const fs::path newest = state_dir / local::kDecisionFile;
  for (const std::string& name : {newest.string() + ".1", newest.string()}) {
    std::ifstream file(name);
    for (std::string line; std::getline(file, line);) {
      const auto text = explain_line(line, options, *since_ms);
      if (!text) continue;
      std::fputs(text->c_str(), stdout);
      ++told;
    }
  }
  if (told > 0) return 0;
  std::fprintf(stderr, "pilotlight: nothing about \"%s\"%s is in %s\n", options.service.c_str(),
               options.since.empty() ? "" : " of that time", newest.c_str());
  return 1;
}

}  // namespace pilotlight::cli
