#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/explain.h"
#include "common/kube/json.h"

namespace pilotlight::cli {

/// What the lines of an event log tell of one service. Pure.
///
/// Before the lines since a time comes the newest decision before it, of each revision: one that
/// changed nothing is not written down, so it is what has held since.
class Explanation {
 public:
  Explanation(ExplainOptions options, std::int64_t since_ms)
      : options_(std::move(options)), since_ms_(since_ms) {}

  /// A line of the event log; those of others are left out, and so is what is not JSON.
  void take(std::string_view line);

  /// Puts the lines in order of time: they came from several logs.
  void sort();

  /// "team/iris" of each service that is meant; more than one when only its name was given.
  [[nodiscard]] const std::set<std::string>& services() const noexcept { return services_; }

  /// All of it for people, in local time, or the lines as they are; "" when there is nothing.
  [[nodiscard]] std::string text() const;

 private:
  struct Line {
    std::int64_t ms = 0;
    std::string revision;
    kube::Json event;
    std::string text;
  };

  [[nodiscard]] std::vector<const Line*> standing() const;
  [[nodiscard]] static std::string told(const Line& line, bool several);
  [[nodiscard]] static std::string held(const Line& line, bool several);

  ExplainOptions options_;
  std::int64_t since_ms_;
  std::vector<Line> lines_;
  std::map<std::string, Line> before_;  // by revision: its newest decision before that time
  std::set<std::string> services_;
  std::set<std::string> revisions_;
};

/// Prints it. @return the exit code: 1, said with `where`, when there is nothing; 78 when the name
/// is that of several services.
[[nodiscard]] int print(const Explanation& explanation, const ExplainOptions& options,
                        const std::string& where);

}  // namespace pilotlight::cli
