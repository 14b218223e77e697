#include "proxy/pipeline.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/pipeline_request.h"

namespace pilotlight::proxy {
namespace {

using http::Bounce;
using http::FieldKind;

/// How often one request may be sent again because nobody had started it. Each further try needs
/// another connection that died unread, so this ends quickly; it only must not be endless.
constexpr int kTriesMax = 3;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Task<> Pipeline::serve(Transport stream) {
  http::ServerConnection down(parts_.http, std::move(stream));
  std::optional<http::ConnectionSet::Member> member(std::in_place, connections_, down);
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
  member.reset();
  if (connections_.empty()) parts_.listener.became_quiet();
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
  // Whoever keeps a connection would come here until the app is gone, whatever the Service says
  // now.
  if (parts_.fence.begun()) down.close_after();
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
      parts_.observer.answered(request.record, (*checkout)->head(), *exchange);
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
  const Interruption::Target target(down.interruption(), &cancel_transport, &down.stream());
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
    if (down.interruption().raised()) co_return down.interruption().error();
  } while (!parts_.readiness.ready());
  co_return Result<>();
}

}  // namespace pilotlight::proxy
