#pragma once

#include <string>
#include <utility>

#include "activator/pipeline.h"

namespace pilotlight::activator {

/// What is known of one request while it is here.
struct Pipeline::Request {
  Request(Pipeline& pipeline, http::ServerConnection& connection, RevisionPtr to)
      : down(connection),
        revision(std::move(to)),
        visit(pipeline.parts_.revisions, revision),
        begun(pipeline.parts_.http.clock.now()),
        deadline(begun + revision->timeout) {}

  /// The revision's clocks, each `longer` than it asks for.
  [[nodiscard]] http::RequestClocks clocks(Duration longer) const {
    http::RequestClocks all;
    all.total = revision->timeout + longer;
    if (revision->response_start_timeout) {
      all.response_start = *revision->response_start_timeout + longer;
    }
    if (revision->idle_timeout) all.idle = *revision->idle_timeout + longer;
    return all;
  }

  static void on_first_byte(void* self) {
    auto& request = *static_cast<Request*>(self);
    request.visit.answered(*request.placement);
  }

  http::ServerConnection& down;
  RevisionPtr revision;
  Visit visit;
  TimePoint begun;
  TimePoint deadline;                    // waiting spends it too
  const Placement* placement = nullptr;  // while it is at a replica
  TimePoint placed_at{};
  std::string last_replica;  // of the last attempt, for a 502
};

}  // namespace pilotlight::activator
