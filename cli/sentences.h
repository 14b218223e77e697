#pragma once

#include <string>

#include "common/kube/json.h"

/// The event log of the autoscaler, told to people. Pure: one line of the file in, a sentence with
/// its numbers out. The fields are in docs/autoscaling.md; a missing one only makes the sentence
/// shorter.
namespace pilotlight::cli {

/// What stands before the sentence: "0 -> 2", "stays 3", "cold start", "patch", "replica",
/// "no answer", "refused".
[[nodiscard]] std::string topic_of(const kube::Json& event);

/// "" for an event that other lines tell better. Further lines of text are indented.
[[nodiscard]] std::string sentence_of(const kube::Json& event);

/// Why a decision that followed demand came to this number and no other: "18.2 / 2.8 per replica =
/// 6.5, so 7: with 6 each would have 3.033"; how long one that keeps replicas for a time does so.
/// "" for decisions that followed something else.
[[nodiscard]] std::string arithmetic_of(const kube::Json& decision);

}  // namespace pilotlight::cli
