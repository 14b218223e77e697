#include "activator/pipeline.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "activator/pipeline_request.h"
#include "activator/replies.h"
#include "common/net/listener.h"

namespace pilotlight::activator {
namespace {

using namespace std::chrono_literals;
using http::FieldKind;

/// How often one place may be used again with another connection because the last one, a reused
/// one, died unread. Each further try needs another stale connection, so this ends quickly.
constexpr int kStaleMax = 3;

/// A replica's sidecar has a clock of its own, which started a moment later. It answers first.
constexpr Duration kClockGrace = 100ms;

/// What the kernel may hold of a body that nobody reads.
constexpr std::size_t kUnreadMax = 128 * 1024;

/// The memory that a request takes while it waits: its buffer, and what may pile up behind it.
std::size_t waiting_bytes(http::ServerConnection& down) {
  const http::RequestHead& head = down.head();
  const std::size_t buffer = std::max(http::ReadBuffer::kSmall, down.in().size());
  switch (head.framing) {
    case http::Framing::none: return buffer;
    case http::Framing::length: {
      const std::size_t early = down.early_body().size();
      if (head.content_length <= early) return buffer;
      const std::uint64_t missing = head.content_length - early;
      return buffer + static_cast<std::size_t>(std::min<std::uint64_t>(missing, kUnreadMax));
    }
    case http::Framing::chunked:
    case http::Framing::until_close: break;
  }
  return buffer + kUnreadMax;
}

Finding finding_of(http::Bounce bounce) noexcept {
  switch (bounce) {
    case http::Bounce::draining: return Finding::draining;
    case http::Bounce::not_ready: return Finding::not_ready;
    case http::Bounce::none:
    case http::Bounce::full: break;
  }
  return Finding::full;
}

ProbeQuestion question_of(const http::RequestHead& head) {
  ProbeQuestion question;
  question.user_agent = head.value(FieldKind::user_agent);
  question.kubelet_header = head.has(FieldKind::k_kubelet_probe);
  question.network_probe = head.value(FieldKind::k_network_probe);
  question.network_hash = head.value(FieldKind::k_network_hash);
  return question;
}

}  // namespace

Task<> Pipeline::serve(Transport stream, EntrancePtr entrance) {
  http::ServerConnection down(parts_.http, std::move(stream));
  std::optional<http::ConnectionSet::Member> member(std::in_place, connections_, down);
  parts_.cells.connections.add();
  parts_.cells.accepted.add();
  while (!down.last()) {
    const Result<> read = co_await down.read_head(TimePoint::max());
    if (!read) {
      const bool speak =
          read.error() == FlowError::bad_message || read.error() == FlowError::head_too_large;
      if (speak) {
        parts_.cells.finished(Outcome::bad_request);
        const http::LocalReply reply = http::local_reply(read.error());
        co_await down.reply(reply, true);
      }
      break;
    }
    const bool last = !down.head().keep_alive || connections_.closing() || entrance->leaving;
    if (last) down.close_after();
    co_await handle(down, entrance->name);
    if (!down.end_request()) break;
  }
  co_await down.finish();
  parts_.cells.connections.sub();
  member.reset();
  if (connections_.empty()) parts_.listener.became_quiet();
}

Task<> Pipeline::handle(http::ServerConnection& down, std::string_view socket) {
  const http::RequestHead& head = down.head();
  if (is_probe(question_of(head))) {
    co_await answer_probe(down);
    co_return;
  }
  RouteQuery query;
  query.socket = socket;
  query.revision = head.value(FieldKind::serving_revision);
  query.name_space = head.value(FieldKind::serving_namespace);
  query.host = head.value(FieldKind::host);
  const std::shared_ptr<const RouteTable> routes = parts_.revisions.routes();
  const Route* route = routes->lookup(query);
  if (route == nullptr) {
    parts_.cells.finished(Outcome::no_route);
    const http::LocalReply reply = no_route(routes->explain(query));
    co_await down.reply(reply, false);
    co_return;
  }
  co_await run(down, route->pick(tickets_++));
}

Task<> Pipeline::answer_probe(http::ServerConnection& down) {
  parts_.cells.probes.add();
  const http::LocalReply reply =
      probe_answer(question_of(down.head()), ready_, connections_.closing());
  co_await down.reply(reply, false);
}

Task<> Pipeline::run(http::ServerConnection& down, RevisionPtr revision) {
  Request request(*this, down, std::move(revision));
  for (;;) {
    down.start_clocks(request.clocks(Duration::zero()), request.begun);
    const auto placement = co_await request.visit.place(waiting_bytes(down), down.interruption());
    if (!placement) {
      co_await refuse(request, placement.error());
      co_return;
    }
    down.start_clocks(request.clocks(kClockGrace), request.begun);
    request.placement = &*placement;
    request.placed_at = parts_.http.clock.now();
    const bool over = co_await attempt(request, *placement);
    request.placement = nullptr;
    if (over) co_return;
  }
  // The visit ends here: an answer that still streams still holds its place.
}

/// Sends the request to one replica. @return false if it was not taken and may go elsewhere.
Task<bool> Pipeline::attempt(Request& request, const Placement& placement) {
  http::ServerConnection& down = request.down;
  http::ExchangePlan plan;
  plan.edit.peer = down.peer_address();
  plan.edit.peer_line = down.peer_line();
  plan.edit.next_host = placement.replica->host;
  plan.edit.hop_epoch = parts_.hop_epoch;
  plan.upstream_admits = true;
  http::FirstByteHook first_byte;
  first_byte.call = &Request::on_first_byte;
  first_byte.context = &request;
  request.last_replica = placement.replica->name;
  const Pools::Use pool(parts_.pools, placement.replica->address);
  for (int tries = 1;; ++tries) {
    if (down.interruption().raised()) {  // nothing was there to be ended when it was
      co_await refuse(request, down.interruption().error());
      co_return true;
    }
    auto checkout = co_await pool->take(request.deadline, down.interruption());
    if (!checkout && checkout.error() == FlowError::upstream_refused) {
      request.visit.not_taken(Finding::refused);
      parts_.cells.retries.add();
      co_return false;
    }
    if (!checkout) {
      co_await refuse(request, checkout.error());
      co_return true;
    }
    http::Exchange exchange(down, **checkout, plan);
    const http::ExchangeEnd end = co_await exchange.run(first_byte);
    if (end.bounce != http::Bounce::none) {
      if (end.keep_upstream) checkout->keep(parts_.http.clock.now());
      request.visit.not_taken(finding_of(end.bounce));
      parts_.cells.bounces.add();
      co_return false;
    }
    if (end.error && end.not_started) {
      parts_.cells.retries.add();
      if (checkout->reused() && tries < kStaleMax) continue;  // stale: says nothing of the replica
      request.visit.not_taken(Finding::refused);
      co_return false;
    }
    if (!end.error && end.keep_upstream) {
      checkout->keep(parts_.http.clock.now());
    } else {
      const auto closed = std::move(*checkout);  // before its place is free
    }
    co_await conclude(request, end);
    co_return true;
  }
}

/// The replica had the request, and it is over one way or the other.
Task<> Pipeline::conclude(Request& request, const http::ExchangeEnd& end) {
  http::ServerConnection& down = request.down;
  Ending ending;
  if (!end.error) {
    ending.completed = true;
    ending.service_time = parts_.http.clock.now() - request.placed_at;
    request.visit.leave(ending);
    parts_.cells.finished(Outcome::answered);
    co_return;
  }
  if (end.error == FlowError::downstream_gone) {
    co_await refuse(request, end.error);
    co_return;
  }
  if (end.answered) {
    ending.cause = RefusalCause::upstream_failed;
    request.visit.leave(ending);
    parts_.cells.finished(Outcome::broken_off);
    down.reset();
    co_return;
  }
  co_await refuse(request, end.error);
}

/// Ends a request that got no answer of the app, and says why, once.
Task<> Pipeline::refuse(Request& request, ErrorCode error) {
  http::ServerConnection& down = request.down;
  const RevisionInfo& revision = *request.revision;
  const bool was_placed = request.placement != nullptr;
  Ending ending;
  Outcome outcome = Outcome::upstream_failed;
  http::LocalReply reply;
  if (error == FlowError::downstream_gone) {
    ending.cause = RefusalCause::client_left;
    request.visit.leave(ending);
    parts_.cells.finished(Outcome::client_left);
    down.close_after();
    co_return;
  }
  if (error == FlowError::queue_full) {
    const Refusal bound = request.visit.refusal();
    const bool bytes = bound == Refusal::bytes || bound == Refusal::bytes_total;
    ending.cause = bytes ? RefusalCause::bytes_full : RefusalCause::queue_full;
    outcome = bytes ? Outcome::park_bytes : Outcome::park_requests;
    reply = no_room(revision, bound, parts_.limits, request.visit.retry_after(),
                    parts_.revisions.failure(revision.id));
  } else if (error == FlowError::deadline_exceeded) {
    ending.cause = RefusalCause::deadline;
    outcome = Outcome::deadline;
    reply = was_placed ? ran_too_long()
                       : waited_too_long(revision, parts_.revisions.failure(revision.id));
  } else if (error == FlowError::not_found) {
    ending.cause = RefusalCause::not_ready;
    outcome = Outcome::no_route;
    reply = revision_gone(revision);
  } else if (error == FlowError::draining) {
    ending.cause = RefusalCause::draining;
    outcome = Outcome::draining;
    reply = http::local_reply(error);
  } else if (error == FlowError::bad_message) {
    ending.cause = RefusalCause::upstream_failed;
    outcome = Outcome::bad_request;
    reply = http::local_reply(error);
  } else {
    ending.cause = RefusalCause::upstream_failed;
    // Its sidecar is dying: who is sent there now may be taken by the kernel and by nobody else.
    ending.finding = Finding::refused;
    reply = http::local_reply(FlowError::upstream_failed,
                              fmt::format("replica {} failed while it had the request: {}",
                                          request.last_replica, error.message()));
  }
  request.visit.leave(ending);
  parts_.cells.finished(outcome);
  co_await down.reply(reply, was_placed);
}

}  // namespace pilotlight::activator
