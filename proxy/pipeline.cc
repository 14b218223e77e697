#include "proxy/pipeline.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "common/http/head_parser.h"
#include "common/net/listener.h"
#include "proxy/pipeline_request.h"

namespace pilotlight::proxy {
namespace {

using http::Bounce;
using http::FieldKind;

/// How often one request may be sent again because nobody had started it. Each further try needs
/// another connection that died unread, so this ends quickly; it only must not be endless.
constexpr int kTriesMax = 3;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

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

Task<> Pipeline::serve(Transport stream) {
  http::ServerConnection down(parts_.http, std::move(stream));
  const http::ConnectionSet::Member member(connections_, down);
  std::optional<http::Exchange> exchange;
  while (!down.last()) {
    const Result<> read = co_await down.read_head(TimePoint::max());
    if (!read) {
      const bool speak =
          read.error() == FlowError::bad_message || read.error() == FlowError::head_too_large;
      if (speak) {
        parts_.observer.bad_request();
        const http::LocalReply reply = http::local_reply(read.error());
        co_await down.reply(reply, true);
      }
      break;
    }
    if (!down.head().keep_alive || connections_.closing()) down.close_after();
    if (is_probe(down.head())) {
      co_await answer_probe(down);
    } else {
      co_await run(down, exchange);
    }
    if (!down.end_request()) break;
  }
  co_await down.finish();
}

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

Task<Result<Admission::Permit>> Pipeline::admit(http::ServerConnection& down, Request& request,
                                                TimePoint deadline) {
  // An activator places a request that found no permit elsewhere; only direct clients queue.
  if (request.hop) co_return FlowError::queue_full;
  auto permit = co_await parts_.admission.acquire(deadline, down.interruption());
  if (permit) {
    parts_.observer.admitted(request.record, parts_.http.clock.now(), /*waited=*/true);
  }
  co_return std::move(permit);
}

Task<> Pipeline::run(http::ServerConnection& down, std::optional<http::Exchange>& exchange) {
  const bool hop = down.head().has(FieldKind::pilotlight_hop);
  // Latecomers of a drain go back where they came from: another replica can take them.
  if (hop && parts_.fence.begun()) {
    parts_.meter.refused(RefusalCause::draining);
    co_await bounce(down, Bounce::draining);
    co_return;
  }
  if (hop && !parts_.readiness.ready()) {
    parts_.meter.refused(RefusalCause::not_ready);
    co_await bounce(down, Bounce::not_ready);
    co_return;
  }
  Request request(*this, down.head());
  const TimePoint deadline = request.begun_ + params_.clocks.total;  // waiting spends it too
  down.start_clocks(params_.clocks, request.begun_);
  parts_.observer.begin(request.record, down);

  // Held to the end of this function: an answer that still streams still holds its slot.
  auto permit = parts_.admission.try_acquire();
  if (permit) {
    parts_.observer.admitted(request.record, request.begun_, /*waited=*/false);
  } else {
    auto waited = co_await admit(down, request, deadline);
    if (!waited) {
      co_await refuse_unadmitted(down, request, waited.error());
      co_return;
    }
    permit.emplace(std::move(*waited));
  }
  http::ExchangePlan plan;
  plan.edit.peer = down.peer_address();
  plan.edit.peer_line = down.peer_line();
  if (hop && down.head().expects_continue) {
    const Result<> told = co_await tell_to_continue(down, plan);
    if (!told) {
      co_await refuse(down, request, FlowError::downstream_gone, std::string());
      co_return;
    }
  }
  for (int tries = 1;; ++tries) {
    auto checkout = parts_.app.take_idle(request.record.admitted);
    if (!checkout) {
      auto dialed = co_await parts_.app.take(deadline, down.interruption());
      if (!dialed) {
        const bool again = co_await undialed(down, request, dialed.error(), deadline);
        if (!again) co_return;
        tries = 0;  // nothing of the request has been sent anywhere
        continue;
      }
      checkout.emplace(std::move(*dialed));
    }
    parts_.observer.took_upstream(checkout->reused());
    exchange.emplace(down, **checkout, plan);
    const http::ExchangeEnd end = co_await exchange->run(http::FirstByteHook());
    if (!end.error) {
      const TimePoint now = parts_.http.clock.now();
      parts_.observer.answered(request.record, (*checkout)->head());
      parts_.meter.completed(now - request.record.admitted);
      request.leave(now);
      exchange.reset();
      if (end.keep_upstream) checkout->keep(now);
      co_return;
    }
    if (end.not_started && tries < kTriesMax) continue;
    co_await finish_failed(down, request, *exchange, end);
    exchange.reset();
    co_return;
  }
}

/// For an activator 100 means "you have a permit"; the app is not asked a second time. A client
/// that reads nothing must not keep the permit beyond its time: this wait has its clock.
Task<Result<>> Pipeline::tell_to_continue(http::ServerConnection& down, http::ExchangePlan& plan) {
  plan.edit.expect = http::ExpectEdit::cut;
  plan.swallow_continue = true;
  const Interruption::Target target(down.interruption(), &cancel_stream, &down.stream().tcp());
  if (down.interruption().raised()) co_return FlowError::downstream_gone;
  const auto [ec, n] =
      co_await down.stream().write(asio::buffer(kContinue.data(), kContinue.size()));
  if (ec) co_return ec;
  co_return Result<>();
}

/// Rests as long as the readiness loop does between two probes, and until it has seen the app.
Task<Result<>> Pipeline::wait_for_app(http::ServerConnection& down, TimePoint deadline) {
  const auto timer = parts_.http.clock.make_timer();
  const Interruption::Target target(
      down.interruption(), [](void* waiting) { static_cast<Timer*>(waiting)->cancel(); },
      timer.get());
  const TimePoint begun = parts_.http.clock.now();
  do {
    const TimePoint now = parts_.http.clock.now();
    if (!down.interruption().raised()) {
      co_await timer->wait_until(std::min(deadline, now + probe_interval(now - begun)));
    }
    switch (down.interruption().cause()) {
      case Cause::left: co_return FlowError::downstream_gone;
      case Cause::deadline: co_return FlowError::deadline_exceeded;
      case Cause::stopped: co_return FlowError::draining;
      case Cause::none: break;
    }
  } while (!parts_.readiness.ready());
  co_return Result<>();
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
    const http::LocalReply reply = http::local_reply(
        error, app_failed ? fmt::format("the app at {} closed the connection: {}",
                                        to_string(parts_.app.address()), end.error.message())
                          : std::string());
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
