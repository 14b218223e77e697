#include "cli/sentences.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "cli/printable.h"
#include "local/story.h"

namespace pilotlight::cli {
namespace {

using kube::Json;
using local::length_text;

constexpr std::size_t kWordsLines = 5;

/// A count or a length. Nothing that is told of is below 0, or beyond kMost; what a broken line has
/// is brought there, so that no sum or product of a few overflows.
std::optional<std::int64_t> amount(const Json& event, kube::Path path) {
  constexpr std::int64_t kMost = 1'000'000'000'000'000;  // 30 years of microseconds
  const auto value = kube::integer(event, path);
  if (!value) return std::nullopt;
  return std::clamp<std::int64_t>(*value, 0, kMost);
}

std::int64_t number(const Json& event, kube::Path path) { return amount(event, path).value_or(0); }

std::string ordinal(std::int64_t n) {
  const std::int64_t tens = n % 100;
  const bool th = tens >= 11 && tens <= 13;
  switch (th ? 0 : n % 10) {
    case 1: return fmt::format("{}st", n);
    case 2: return fmt::format("{}nd", n);
    case 3: return fmt::format("{}rd", n);
    default: return fmt::format("{}th", n);
  }
}

std::string several(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

/// The last lines of what a container wrote, each on its own.
std::string last_words(const Json& event) {
  std::string_view words = kube::text(event, {"last_words"});
  while (words.ends_with('\n')) words.remove_suffix(1);
  if (words.empty()) return "; it wrote nothing";
  std::size_t begin = words.size();
  for (std::size_t lines = 0; lines < kWordsLines && begin != std::string_view::npos; ++lines) {
    begin = begin == 0 ? std::string_view::npos : words.rfind('\n', begin - 1);
  }
  words = begin == std::string_view::npos ? words : words.substr(begin + 1);
  std::string out = "; its last words:";
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('\n'), words.size());
    out += fmt::format("\n    | {}", words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return out;
}

/// "user-container exited with 3 (Error), for the 2nd time; its last words: ...".
std::string exit_text(const Json& event) {
  std::string text = fmt::format("{} exited with {}", kube::text(event, {"container"}),
                                 number(event, {"exit_code"}));
  const std::string_view reason = kube::text(event, {"exit_reason"});
  if (!reason.empty()) text += fmt::format(" ({})", reason);
  const std::int64_t restarts = number(event, {"restarts"});
  if (restarts > 1) text += fmt::format(", for the {} time", ordinal(restarts));
  if (kube::boolean(event, {"backing_off"}, false)) {
    text += ", so each new start is put off longer (CrashLoopBackOff)";
  }
  return text + last_words(event);
}

std::string decision_text(const Json& event) {
  std::string text =
      fmt::format("{}: {}", kube::text(event, {"reason"}), kube::text(event, {"text"}));
  const std::string why = arithmetic_of(event);
  return why.empty() ? text : text + "; " + why;
}

/// What a phase is, for who reads that most of a start was spent on it.
std::string_view meaning_of(std::string_view phase) {
  if (phase == "decide") return "the decision";
  if (phase == "patch") return "the Kubernetes API";
  if (phase == "scheduled") return "waiting for a node";
  if (phase == "image") return "pulling the image";
  if (phase == "init") return "init containers";
  if (phase == "start") return "starting the process";
  if (phase == "listen") return "the app, until it accepted connections";
  if (phase == "ready") return "the readiness probe";
  if (phase == "first_byte") return "the app's first answer";
  return "unknown";
}

std::string phases_text(const Json& event) {
  constexpr std::array<std::string_view, 9> kOrder = {
      "decide", "patch", "scheduled", "image", "init", "start", "listen", "ready", "first_byte"};
  std::string text;
  std::string_view longest;
  std::int64_t longest_us = 0;
  std::int64_t sum_us = 0;
  for (const std::string_view phase : kOrder) {
    const auto us = amount(event, {"phases_us", phase});
    if (!us) continue;
    const std::string_view word = phase == "first_byte" ? "first byte" : phase;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", word, length_text(*us));
    sum_us += *us;
    if (*us <= longest_us) continue;
    longest_us = *us;
    longest = phase;
  }
  if (sum_us > 0) {
    text += fmt::format("; {} % of it was {}", (100 * longest_us + sum_us / 2) / sum_us,
                        meaning_of(longest));
  }
  return text;
}

std::string cold_start_text(const Json& event) {
  const std::string to_ready = length_text(number(event, {"to_ready_us"}));
  const auto to_answer = amount(event, {"to_answer_us"});
  const std::string text = to_answer ? fmt::format("first answer after {}, replica ready after {}",
                                                   length_text(*to_answer), to_ready)
                                     : fmt::format("replica ready after {}", to_ready);
  const std::string phases = phases_text(event);
  return phases.empty() ? text : text + ": " + phases;
}

std::string patch_text(const Json& event) {
  const std::int64_t attempt = std::max<std::int64_t>(number(event, {"attempt"}), 1);
  const std::int64_t to = number(event, {"to"});
  if (kube::boolean(event, {"taken"}, false)) {
    if (attempt <= 1) return {};
    return fmt::format("the API took {} at the {} attempt", to, ordinal(attempt));
  }
  // Of a long row of the same failure those at the 1st, 2nd, 4th, 8th, ... attempt.
  const bool changed = kube::boolean(event, {"changed"}, false);
  if (!changed && !std::has_single_bit(static_cast<std::uint64_t>(attempt))) return {};
  const std::string_view message = kube::text(event, {"message"});
  std::string text = fmt::format("the API did not take {} at the {} attempt after {}: {}", to,
                                 ordinal(attempt), length_text(number(event, {"took_us"})),
                                 message.empty() ? kube::text(event, {"error"}) : message);
  const std::int64_t status = number(event, {"status"});
  if (status != 0) text += fmt::format(" (HTTP {})", status);
  const auto retry_us = amount(event, {"retry_us"});
  return text + (retry_us ? fmt::format("; tried again in {}", length_text(*retry_us))
                          : std::string("; given up"));
}

std::string replica_text(const Json& event) {
  const std::string_view name = kube::text(event, {"replica"});
  const std::string_view phase = kube::text(event, {"phase"});
  if (phase == "exited") return fmt::format("{}: {}", name, exit_text(event));
  if (phase == "blocked") {
    return fmt::format("{} cannot start: {}", name, kube::text(event, {"reason"}));
  }
  if (phase == "warning") {
    return fmt::format("{} does not start yet: {}", name, kube::text(event, {"reason"}));
  }
  if (phase == "not_ready") {
    return fmt::format("{} is not ready: {}", name, kube::text(event, {"reason"}));
  }
  if (phase == "ready") {
    return fmt::format("{} is ready {} after its sidecar began", name,
                       length_text(number(event, {"ready_us"})));
  }
  return {};
}

std::string wake_failed_text(const Json& event) {
  const std::string_view name = kube::text(event, {"replica"});
  std::string text =
      fmt::format("a request waited {} and no replica took it ({}): ",
                  length_text(number(event, {"waited_us"})), kube::text(event, {"cause"}));
  const std::string_view blocked = kube::text(event, {"blocked"});
  if (!blocked.empty()) return text + fmt::format("{} cannot start: {}", name, blocked);
  if (kube::find(event, {"exit_code"}) != nullptr) {
    return text + fmt::format("{}: {}", name, exit_text(event));
  }
  if (const auto running_us = amount(event, {"running_us"})) {
    return text + fmt::format(
                      "the app of {} has run for {} and its readiness probe has not "
                      "succeeded; see the probe, the port it listens on ($PORT), and "
                      "timeoutSeconds if it needs longer",
                      name, length_text(*running_us));
  }
  const std::string_view warning = kube::text(event, {"warning"});
  if (!warning.empty()) return text + fmt::format("{} has not started yet: {}", name, warning);
  if (!name.empty()) return text + fmt::format("{} has not started yet", name);
  const std::string_view refused = kube::text(event, {"refused"});
  if (!refused.empty()) return text + fmt::format("no Pod can be made: {}", refused);
  const std::string_view other = kube::text(event, {"scaled_by"});
  if (!other.empty()) {
    return text + fmt::format("{} scales this Deployment, pilotlight leaves it alone", other);
  }
  const std::string_view not_taken = kube::text(event, {"not_taken"});
  if (!not_taken.empty()) return text + std::string(not_taken);
  return text + "no Pod was made for it; see whether the API takes the number of replicas";
}

struct Refusal {
  std::string_view cause;
  std::string_view text;
};

/// What a client was told, why, and what to do. Causes that are missing here reached no client.
constexpr std::array<Refusal, 7> kByActivators = {{
    {"queue_full",
     "got 503 at once: as many waited as may; raise max-scale or --park-requests, or come back "
     "after Retry-After"},
    {"bytes_full",
     "got 503 at once: those that waited took as much memory as they may; raise --park-bytes"},
    {"deadline", "got 504: their timeoutSeconds was over"},
    {"draining", "got 503: the activator was ending"},
    {"not_ready", "got 503: the revision was deleted while they waited"},
    {"upstream_failed", "got 502: the replica failed while it had them; see `pilotlight logs`"},
    {"client_left", "left before they had an answer"},
}};
constexpr std::array<Refusal, 4> kBySidecars = {{
    {"queue_full", "got 503 of a sidecar: its queue was full; raise max-scale"},
    {"bytes_full", "got 503 of a sidecar: its queue took as much memory as it may"},
    {"deadline", "got 504 of a sidecar: their time was over; raise timeoutSeconds"},
    {"upstream_failed",
     "got 502 of a sidecar: the app failed while it had them; see "
     "`pilotlight logs`"},
}};

template <class Causes>
void add_refusals(std::string& out, const Json& event, std::string_view by, const Causes& causes) {
  for (const Refusal& refusal : causes) {
    const std::int64_t count = number(event, {by, refusal.cause});
    if (count <= 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : "; ",
                       several(static_cast<std::uint64_t>(count), "request"), refusal.text);
  }
}

std::string refusals_text(const Json& event) {
  std::string text;
  add_refusals(text, event, "activators", kByActivators);
  add_refusals(text, event, "sidecars", kBySidecars);
  if (text.empty()) return {};
  const char* unseen =
      kube::boolean(event, {"unseen"}, false) ? ", some before, while no autoscaler was there" : "";
  return fmt::format("within {}{}: {}", length_text(number(event, {"period_us"})), unseen, text);
}

std::string left_alone_text(const Json& event) {
  const std::string_view who = kube::text(event, {"scaled_by"});
  if (who.empty()) return "nobody else scales it any more: decisions are taken again";
  return fmt::format("{} scales it, so nothing is decided here until that is gone", who);
}

/// Files from before the event log have decisions only.
std::string_view kind_of(const Json& event) {
  const std::string_view kind = kube::text(event, {"event"});
  return kind.empty() ? "decision" : kind;
}

std::string text_of(const Json& event) {
  const std::string_view kind = kind_of(event);
  if (kind == "decision") return decision_text(event);
  if (kind == "cold_start") return cold_start_text(event);
  if (kind == "patch") return patch_text(event);
  if (kind == "replica") return replica_text(event);
  if (kind == "wake_failed") return wake_failed_text(event);
  if (kind == "refusals") return refusals_text(event);
  if (kind == "left_alone") return left_alone_text(event);
  if (kind == "refused")
    return fmt::format("no Pod can be made: {}", kube::text(event, {"reason"}));
  return {};
}

}  // namespace

std::string topic_of(const Json& event) {
  const std::string_view kind = kind_of(event);
  if (kind == "cold_start") return "cold start";
  if (kind == "wake_failed") return "no answer";
  if (kind == "refusals") return "refused";
  if (kind == "left_alone") return "left alone";
  if (kind == "refused") return "no Pod";
  if (kind != "decision") return printable(kind);
  const std::int64_t from = number(event, {"from"});
  const std::int64_t desired = number(event, {"desired"});
  return from == desired ? fmt::format("stays {}", from) : fmt::format("{} -> {}", from, desired);
}

std::string sentence_of(const Json& event) { return printable(text_of(event)); }

}  // namespace pilotlight::cli
