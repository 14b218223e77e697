#include "common/control/event_log.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>

namespace pilotlight::control {
namespace {

constexpr std::size_t kMaxEvents = 1024;
constexpr std::int64_t kMaxWaitMs = 30'000;

template <class Number>
Number number_or(std::string_view text, Number fallback) {
  Number value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc() && end == text.data() + text.size() ? value : fallback;
}

}  // namespace

/// A serve() that waits; lives in its frame.
struct EventLog::Waiter {
  explicit Waiter(EventLog& l) : log(l), timer(l.clock_.make_timer()) {
    log.waiters_.push_back(this);
  }
  ~Waiter() { std::erase(log.waiters_, this); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  EventLog& log;
  std::unique_ptr<Timer> timer;
};

EventLog::EventLog(Clock& clock, std::uint64_t epoch) : clock_(clock), epoch_(epoch) {}

void EventLog::record(std::string_view kind, nlohmann::json fields) {
  if (!fields.is_object()) fields = nlohmann::json::object();
  fields["seq"] = next_++;
  fields["kind"] = std::string(kind);
  if (!fields.contains("at_us")) fields["at_us"] = monotonic_us(clock_.now());
  if (events_.size() == kMaxEvents) events_.pop_front();
  events_.push_back(std::move(fields));
  for (const Waiter* waiter : waiters_) waiter->timer->cancel();
}

Task<> EventLog::serve(const Request& request, Reply& reply) {
  const std::string epoch = std::to_string(epoch_);
  auto after = number_or<std::uint64_t>(request.param("after"), 0);
  const std::string_view known = request.param("epoch");
  const bool other_epoch = !known.empty() && known != epoch;
  if (other_epoch) after = 0;
  const auto wait_ms =
      std::clamp<std::int64_t>(number_or<std::int64_t>(request.param("wait_ms"), 0), 0, kMaxWaitMs);
  std::optional<Waiter> waiter;  // lives as long as when_gone() may call its timer
  if (wait_ms > 0 && !other_epoch && after + 1 >= next_ && !closed_) {
    waiter.emplace(*this);
    reply.when_gone([&timer = *waiter->timer] { timer.cancel(); });
    co_await waiter->timer->wait_until(clock_.now() + std::chrono::milliseconds(wait_ms));
  }

  nlohmann::json newer = nlohmann::json::array();
  for (const nlohmann::json& event : events_) {
    if (event["seq"].get<std::uint64_t>() > after) newer.push_back(event);
  }
  nlohmann::json body;
  body["epoch"] = epoch;
  body["events"] = std::move(newer);
  std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const Result<> sent = co_await reply.send(200, "application/json", std::move(text));
  static_cast<void>(sent);  // a watcher that left asks again
}

void EventLog::close() {
  closed_ = true;
  for (const Waiter* waiter : waiters_) waiter->timer->cancel();
}

std::int64_t monotonic_us(TimePoint at) noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
}

}  // namespace pilotlight::control
