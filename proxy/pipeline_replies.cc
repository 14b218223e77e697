// What a sidecar says itself: to probes, and to requests that the app does not answer.

#include <fmt/format.h>

#include "common/http/answer_fault.h"
#include "common/net/listener.h"
#include "proxy/pipeline_request.h"

namespace pilotlight::proxy {
namespace {

using http::Bounce;
using http::FieldKind;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// User agents whose requests are probes of this port.
bool probe_agent(std::string_view agent) {
  return starts_with(agent, "kube-probe/") || starts_with(agent, "Knative-Activator-Probe") ||
         starts_with(agent, "Knative-Autoscaling-Probe");
}

RefusalCause refusal_cause(const ErrorCode& error) {
  if (error == FlowError::queue_full) return RefusalCause::queue_full;
  if (error == FlowError::deadline_exceeded) return RefusalCause::deadline;
  if (error == FlowError::draining) return RefusalCause::draining;
  if (error == FlowError::downstream_gone) return RefusalCause::client_left;
  return RefusalCause::upstream_failed;
}

http::LocalReply text_reply(unsigned status, std::string body, std::string extra_lines = {}) {
  http::LocalReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.extra_lines = std::move(extra_lines);
  return reply;
}

}  // namespace

bool Pipeline::is_probe(const http::RequestHead& head) const noexcept {
  return probe_agent(head.value(FieldKind::user_agent)) ||
         head.value(FieldKind::k_network_probe) == "probe";
}

Task<> Pipeline::answer_probe(http::ServerConnection& down) {
  const http::RequestHead& head = down.head();
  const TimePoint begun = parts_.http.clock.now();
  const RequestLog::Noted noted = parts_.observer.begin_probe(down);
  http::LocalReply reply;
  if (parts_.fence.begun()) {
    reply = text_reply(503, "shutting down\n", "X-Content-Type-Options: nosniff\r\n");
  } else if (probe_agent(head.value(FieldKind::user_agent))) {
    const std::string_view target = head.value(FieldKind::k_network_probe);
    if (target != "queue") {
      reply = text_reply(400, fmt::format("unexpected probe header value: {}\n", target),
                         "X-Content-Type-Options: nosniff\r\n");
    } else {
      const bool ready = co_await parts_.readiness.check(down.interruption());
      reply = ready ? text_reply(200, "queue") : text_reply(503, "");
    }
  } else {
    const std::string_view hash = head.value(FieldKind::k_network_hash);
    reply = hash.empty()
                ? text_reply(400,
                             "a probe request must contain a non-empty \"K-Network-Hash\" header\n",
                             "X-Content-Type-Options: nosniff\r\n")
                : text_reply(200, "", fmt::format("K-Network-Hash: {}\r\n", hash));
  }
  co_await down.reply(reply, false);
  parts_.observer.end_probe(noted, reply.status, reply.body.size(),
                            parts_.http.clock.now() - begun);
}

Task<> Pipeline::bounce(http::ServerConnection& down, Bounce why) {
  parts_.observer.bounced(why);
  const http::LocalReply reply =
      text_reply(503, fmt::format("not started: {}\n", http::bounce_text(why)),
                 fmt::format("Pilotlight-Not-Started: {}\r\n", http::bounce_text(why)));
  co_await down.reply(reply, false);
}

Task<> Pipeline::refuse_unadmitted(http::ServerConnection& down, Request& request,
                                   ErrorCode error) {
  if (!request.hop) {
    co_await refuse(down, request, error, std::string());
    co_return;
  }
  request.leave(request.begun_);
  request.bounced();
  parts_.meter.refused(RefusalCause::bounced);
  co_await bounce(down, Bounce::full);
}

/// The app takes no connection. @return whether it does again, after a wait that was asked for;
/// else the request has been answered.
Task<bool> Pipeline::undialed(http::ServerConnection& down, Request& request, ErrorCode error,
                              TimePoint deadline) {
  const bool refused = error == FlowError::upstream_refused;
  if (refused) parts_.readiness.lost();
  if (refused && request.hop) {
    parts_.meter.refused(RefusalCause::not_ready);
    request.bounced();
    co_await bounce(down, Bounce::not_ready);
    co_return false;
  }
  std::string detail;
  if (refused && params_.wait_for_app) {
    const Result<> back = co_await wait_for_app(down, deadline);
    if (back) co_return true;
    error = back.error();
  } else {
    detail = fmt::format("dial {}: {}", to_string(parts_.app.address()), error.message());
  }
  co_await refuse(down, request, error, std::move(detail));
  co_return false;
}

std::string Pipeline::app_failure(const ErrorCode& error) const {
  const bool spoke = error.category() == http::answer_category();
  return fmt::format("the app at {} {}{}", to_string(parts_.app.address()),
                     spoke ? "" : "closed the connection: ", error.message());
}

Task<> Pipeline::finish_failed(http::ServerConnection& down, Request& request,
                               http::Exchange& exchange, http::ExchangeEnd end) {
  http::UpstreamConnection& up = exchange.upstream();
  const TimePoint now = parts_.http.clock.now();
  request.leave(now);  // nobody waits for it any more, whatever the app still does
  request.record.status = end.status;
  if (end.error == FlowError::downstream_gone) {
    parts_.meter.refused(RefusalCause::client_left);
    down.close_after();
    if (params_.hold_permit_until_answered && exchange.app_may_compute()) {
      co_await exchange.absorb_answer(request.begun_ + params_.clocks.total);
    } else {
      co_await up.hang_up(now + params_.hang_up_grace);
    }
    co_return;
  }
  parts_.meter.refused(refusal_cause(end.error));
  request.record.outcome =
      end.answered ? Outcome::broken_off : outcome_of(refusal_cause(end.error));
  if (end.answered) {
    down.reset();
  } else {
    const bool app_failed = end.error.category() != flow_category();
    const ErrorCode error = app_failed ? ErrorCode(FlowError::upstream_failed) : end.error;
    const http::LocalReply reply =
        http::local_reply(error, app_failed ? app_failure(end.error) : std::string());
    request.record.status = reply.status;
    co_await down.reply(reply, true);
  }
  co_await up.hang_up(now + params_.hang_up_grace);
}

Task<> Pipeline::refuse(http::ServerConnection& down, Request& request, ErrorCode error,
                        std::string detail) {
  request.leave(parts_.http.clock.now());
  parts_.meter.refused(refusal_cause(error));
  request.record.outcome = outcome_of(refusal_cause(error));
  if (error == FlowError::downstream_gone) {
    down.close_after();
    co_return;
  }
  const http::LocalReply reply = http::local_reply(error, detail);
  request.record.status = reply.status;
  co_await down.reply(reply, false);
}

}  // namespace pilotlight::proxy
