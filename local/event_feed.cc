#include "local/event_feed.h"

#include <utility>

#include <fmt/format.h>

namespace pilotlight::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kPollMs = 15'000;

}  // namespace

EventFeed::EventFeed(Executor executor, Clock& clock, asio::ip::tcp::endpoint admin,
                     Listener listener)
    : executor_(executor),
      clock_(clock),
      admin_(std::move(admin)),
      listener_(std::move(listener)),
      pause_(clock.make_timer()) {}

Task<> EventFeed::run() {
  while (!stopping_) {
    control::Ask what;
    what.target = fmt::format("/events?after={}&epoch={}&wait_ms={}", after_, epoch_, kPollMs);
    const TimePoint deadline = clock_.now() + milliseconds(kPollMs) + seconds(5);
    const auto answer = co_await control::ask(executor_, clock_, admin_, std::move(what), deadline);
    if (stopping_) break;
    if (answer && take(*answer)) continue;
    const TimePoint next = clock_.now() + milliseconds(100);
    co_await pause_->wait_until(next);
  }
}

void EventFeed::stop() {
  stopping_ = true;
  pause_->cancel();
}

bool EventFeed::take(const control::Answer& answer) {
  if (answer.status != 200) return false;
  const auto body = kube::parse_json(answer.body);
  if (!body) return false;
  const std::string_view epoch = kube::text(*body, {"epoch"});
  if (epoch != epoch_) {
    epoch_ = epoch;
    after_ = 0;
  }
  for (const kube::Json& event : kube::array(*body, {"events"})) {
    const auto sequence = kube::integer(event, {"seq"});
    if (!sequence || *sequence <= after_) continue;
    after_ = *sequence;
    listener_(event);
  }
  return true;
}

}  // namespace pilotlight::local
