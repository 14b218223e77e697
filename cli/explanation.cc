#include "cli/explanation.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "cli/local_time.h"
#include "cli/printable.h"
#include "cli/sentences.h"

namespace pilotlight::cli {
namespace {

bool is_decision(const kube::Json& event) {
  const std::string_view kind = kube::text(event, {"event"});
  return kind.empty() || kind == "decision";
}

std::int64_t desired_of(const kube::Json& decision) {
  return kube::integer(decision, {"desired"}).value_or(0);
}

}  // namespace

void Explanation::take(std::string_view line) {
  auto event = kube::parse_json(line);
  if (!event) return;
  const std::string name(kube::text(*event, {"service"}));
  const std::string full = std::string(kube::text(*event, {"namespace"})) + "/" + name;
  if (options_.service != name && options_.service != full) return;
  Line kept;
  kept.ms = kube::integer(*event, {"ms"}).value_or(0);
  kept.revision = kube::text(*event, {"revision"});
  kept.text = line;
  kept.event = std::move(*event);
  services_.insert(full);
  if (kept.ms >= since_ms_) {
    revisions_.insert(kept.revision);
    lines_.push_back(std::move(kept));
  } else if (is_decision(kept.event)) {
    Line& newest = before_[kept.revision];
    if (kept.ms >= newest.ms) newest = std::move(kept);
  }
}

void Explanation::sort() {
  std::stable_sort(lines_.begin(), lines_.end(),
                   [](const Line& a, const Line& b) { return a.ms < b.ms; });
}

/// Revisions of former times that sleep are left out, unless there is nothing else to tell.
std::vector<const Explanation::Line*> Explanation::standing() const {
  std::vector<const Line*> all;
  for (const auto& [revision, line] : before_) all.push_back(&line);
  std::stable_sort(all.begin(), all.end(),
                   [](const Line* a, const Line* b) { return a->ms < b->ms; });
  std::vector<const Line*> out;
  for (const Line* line : all) {
    if (desired_of(line->event) > 0 || revisions_.contains(line->revision)) out.push_back(line);
  }
  if (out.empty() && lines_.empty() && !all.empty()) out.push_back(all.back());
  return out;
}

std::string Explanation::text() const {
  const std::vector<const Line*> before = standing();
  std::set<std::string> revisions = revisions_;
  for (const Line* line : before) revisions.insert(line->revision);
  const bool several = revisions.size() > 1;
  std::string out;
  for (const Line* line : before) {
    out += options_.json ? line->text + "\n" : held(*line, several);
  }
  for (const Line& line : lines_) out += options_.json ? line.text + "\n" : told(line, several);
  return out;
}

std::string Explanation::told(const Line& line, bool several) {
  const std::string sentence = sentence_of(line.event);
  if (sentence.empty()) return {};
  return fmt::format("{}  {:<10}  {}{}\n", local_time(line.ms), topic_of(line.event),
                     several ? printable(line.revision) + ": " : "", sentence);
}

std::string Explanation::held(const Line& line, bool several) {
  const std::int64_t replicas = desired_of(line.event);
  return fmt::format("since {}: {}{} replica{}, {}\n", local_time(line.ms),
                     several ? printable(line.revision) + ": " : "", replicas,
                     replicas == 1 ? "" : "s", sentence_of(line.event));
}

int print(const Explanation& explanation, const ExplainOptions& options, const std::string& where) {
  if (explanation.services().size() > 1) {
    std::string candidates;
    for (const std::string& name : explanation.services()) {
      candidates += (candidates.empty() ? "" : ", ") + name;
    }
    std::fprintf(stderr, "pilotlight: service: got \"%s\", expected one of %s\n",
                 options.service.c_str(), candidates.c_str());
    return 78;
  }
  const std::string text = explanation.text();
  std::fputs(text.c_str(), stdout);
  if (!text.empty()) return 0;
  std::fprintf(stderr, "pilotlight: nothing about \"%s\"%s is in %s\n", options.service.c_str(),
               options.since.empty() ? "" : " of that time", where.c_str());
  return 1;
}

}  // namespace pilotlight::cli
