#include "proxy/observer.h"

#include "common/net/listener.h"

namespace pilotlight::proxy {
namespace {

std::uint64_t microseconds(Duration d) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

/// The length of a body that says it beforehand.
std::optional<std::uint64_t> announced(const http::Head& head) noexcept {
  if (head.framing == http::Framing::none) return 0;
  if (head.framing == http::Framing::length) return head.content_length;
  return std::nullopt;
}

}  // namespace

Outcome outcome_of(RefusalCause cause) noexcept {
  switch (cause) {
    case RefusalCause::queue_full:
    case RefusalCause::bytes_full: return Outcome::queue_full;
    case RefusalCause::deadline: return Outcome::deadline;
    case RefusalCause::draining: return Outcome::draining;
    case RefusalCause::not_ready:
    case RefusalCause::bounced: return Outcome::bounced;
    case RefusalCause::upstream_failed: return Outcome::upstream_failed;
    case RefusalCause::client_left: return Outcome::client_left;
  }
  return Outcome::upstream_failed;
}

RequestLog::Noted Observer::note(http::ServerConnection& down) const {
  ErrorCode gone;  // then there is no address any more
  const tcp::endpoint peer = down.stream().tcp().remote_endpoint(gone);
  return log_->note(down.head(), gone ? std::string() : to_string(peer));
}

void Observer::begin(RequestRecord& record, http::ServerConnection& down) {
  record.request_bytes = announced(down.head());
  if (log_ != nullptr) record.noted = note(down);
}

void Observer::admitted(RequestRecord& record, TimePoint now, bool waited) noexcept {
  record.admitted = now;
  record.forwarded = true;
  if (waited) cells_.queue_wait.observe(microseconds(now - record.begun));
}

void Observer::took_upstream(bool reused) noexcept {
  (reused ? cells_.upstream_reused : cells_.upstream_opened).add();
}

void Observer::answered(RequestRecord& record, const http::ResponseHead& head,
                        const http::Exchange& exchange) noexcept {
  record.outcome = Outcome::answered;
  record.status = head.status;
  record.response_bytes = announced(head);
  if (!record.response_bytes) record.response_bytes = exchange.answer_body().payload();
  if (!record.request_bytes) record.request_bytes = exchange.request_body().payload();
}

void Observer::end(RequestRecord& record, TimePoint now) {
  count(record.outcome);
  if (record.request_bytes) cells_.request_body.observe(*record.request_bytes);
  cells_.requests_time.observe(record.status, microseconds(now - record.begun));
  if (record.forwarded) {
    cells_.invocations.observe(record.status, microseconds(now - record.admitted));
  }
  if (record.outcome == Outcome::answered && record.response_bytes) {
    cells_.response_body.observe(*record.response_bytes);
  }
  if (log_ == nullptr) return;
  RequestLog::Answer answer;
  answer.status = record.status;
  answer.body_bytes = record.response_bytes;
  answer.latency = now - record.begun;
  log_->write(record.noted, answer);
}

void Observer::bounced(http::Bounce why) noexcept {
  if (why == http::Bounce::draining) {
    cells_.bounces_draining.add();
  } else if (why == http::Bounce::not_ready) {
    cells_.bounces_not_ready.add();
  } else {
    cells_.bounces_full.add();
  }
}

RequestLog::Noted Observer::begin_probe(http::ServerConnection& down) {
  cells_.probes.add();
  const bool logged = log_ != nullptr && log_->probes();
  return logged ? note(down) : RequestLog::Noted();
}

void Observer::end_probe(const RequestLog::Noted& noted, unsigned status, std::size_t bytes,
                         Duration latency) {
  if (noted.empty()) return;
  RequestLog::Answer answer;
  answer.status = status;
  answer.body_bytes = bytes;
  answer.latency = latency;
  log_->write(noted, answer);
}

}  // namespace pilotlight::proxy
