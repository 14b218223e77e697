#include "proxy/readiness.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/http/head_parser.h"
#include "common/net/dialer.h"
#include "common/net/listener.h"

namespace pilotlight::proxy {

using namespace std::chrono_literals;

Duration probe_interval(Duration waited) noexcept {
  return std::clamp<Duration>(waited / 100, 2ms, 100ms);
}

Readiness::Readiness(http::ShardParts& parts, std::vector<ReadinessProbe> probes,
                     ReadinessListener& listener)
    : parts_(parts),
      probes_(std::move(probes)),
      listener_(listener),
      pause_(parts.clock.make_timer()) {}

Task<> Readiness::run() {
  while (!stopped_) {
    const TimePoint begun = parts_.clock.now();
    TimePoint listened = begun;
    std::uint32_t successes = 0;
    std::uint32_t wanted = 1;
    for (const ReadinessProbe& p : probes_) wanted = std::max(wanted, p.success_threshold);
    listening_ = false;
    while (!stopped_ && successes < wanted) {
      const bool heard_before = listening_;
      const bool ok = co_await probe_all();
      const TimePoint now = parts_.clock.now();
      if (listening_ && !heard_before) listened = now;
      successes = ok ? successes + 1 : 0;
      if (stopped_ || successes >= wanted) break;
      co_await pause_->wait_until(now + probe_interval(now - begun));
    }
    if (stopped_) co_return;
    ready_ = true;
    listener_.app_ready(listened - begun, parts_.clock.now() - begun);
    while (ready_ && !stopped_) co_await pause_->wait_until(TimePoint::max());
  }
}

void Readiness::stop() noexcept {
  stopped_ = true;
  pause_->cancel();
}

void Readiness::lost() {
  if (!ready_) return;
  ready_ = false;
  listener_.app_lost();
  pause_->cancel();
}

Task<bool> Readiness::check(Interruption& interruption) {
  Event done(parts_.clock);
  waiting_.push_back(&done);
  if (!checking_) {
    checking_ = true;
    parts_.scope.spawn(check_for_all());
  }
  const Interruption::Target target(
      interruption, [](void* event) { static_cast<Event*>(event)->set(); }, &done);
  co_await done.wait(TimePoint::max());
  std::erase(waiting_, &done);
  co_return last_check_ && !interruption.raised();
}

Task<> Readiness::check_for_all() {
  const bool ok = co_await probe_all();
  checking_ = false;
  last_check_ = ok;
  for (Event* event : waiting_) event->set();
}

Task<bool> Readiness::probe_all() {
  bool all = true;
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    const bool ok = co_await probe(i);
    all = all && ok;
  }
  co_return all;
}

Task<bool> Readiness::probe(std::size_t index) {
  const ReadinessProbe& probe = probes_[index];
  TcpStream stream(parts_.executor);
  // An app that accepts but is slow to answer is given its time: only the connect is hasty.
  const TimePoint deadline = parts_.clock.now() + std::max<Duration>(probe.timeout, 100ms);
  const Result<> dialed = co_await dial(stream, parts_.deadlines, probe.address, deadline);
  if (!dialed) co_return false;
  listening_ = true;
  if (probe.kind == ReadinessProbe::Kind::tcp) co_return true;
  Transport app = probe.https ? secured(std::move(stream), probe) : Transport(std::move(stream));
  co_return co_await probe_http(app, index);
}

Transport Readiness::secured(TcpStream stream, const ReadinessProbe& probe) {
  if (trust_ == nullptr) trust_ = *TlsContext::client("");  // the system's roots alone: cannot fail
  return trust_->connect(std::move(stream), probe.address.address().to_string());
}

/// An app that cannot be verified is not ready: an operator has to know why, but not each time.
Task<bool> Readiness::handshake(Transport& app) {
  const ErrorCode ec = co_await app.handshake();
  if (ec && !handshake_failed_) log_warn("https probe failed", {{"error", ec.message()}});
  handshake_failed_ = static_cast<bool>(ec);
  co_return !ec;
}

Task<bool> Readiness::probe_http(Transport& app, std::size_t index) {
  const ReadinessProbe& probe = probes_[index];
  Deadline clock(parts_.deadlines, &cancel_stream, &app.tcp());
  const TimePoint deadline = parts_.clock.now() + std::max<Duration>(probe.timeout, 1s);
  clock.set(deadline);
  if (app.handshake_due()) {
    const bool verified = co_await handshake(app);
    if (!verified) co_return false;
  }
  std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: kube-probe//\r\nConnection: close\r\n",
      probe.path, probe.host.empty() ? to_string(probe.address) : probe.host);
  for (const auto& [name, value] : probe.headers) {
    request += fmt::format("{}: {}\r\n", name, value);
  }
  request += "\r\n";
  const auto [ec, n] = co_await app.write(asio::buffer(std::as_const(request)));
  if (ec) co_return false;
  http::ReadBuffer in(parts_.blocks);
  http::ResponseHead head;
  while (parts_.clock.now() < deadline) {
    const Result<std::size_t> used = http::parse_response(in.view(), false, head);
    if (!used) co_return false;
    if (*used > 0 && !head.interim()) co_return head.status >= 200 && head.status < 400;
    in.consume(*used);
    const auto room = in.prepare();
    if (room.size() == 0) co_return false;
    const auto [read_error, bytes] = co_await app.read_some(room);
    if (read_error) co_return false;
    in.commit(bytes);
  }
  co_return false;
}

}  // namespace pilotlight::proxy
