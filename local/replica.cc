#include "local/replica.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/log.h"

namespace pilotlight::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// When one of a pair has died the other has little left to do: what it ran is broken already.
constexpr Duration kSurvivorDrain = seconds(1);
constexpr Duration kSurvivorGrace = milliseconds(500);

constexpr int kProbeFailures = 3;

control::Ask readiness_ask() {
  control::Ask ask;
  ask.headers = {{"user-agent", "kube-probe/pilotlight"}, {"k-network-probe", "queue"}};
  return ask;
}

}  // namespace

std::string ReplicaExit::story() const {
  if (!text.empty()) return fmt::format("{}: {}", role, text);
  if (by_signal) return fmt::format("{} was killed by signal {}", role, code);
  return fmt::format("{} exited with {}", role, code);
}

Replica::Replica(Executor executor, Clock& clock, ShimLauncher& launcher, ReplicaSpec spec,
                 Listener listener)
    : executor_(executor),
      clock_(clock),
      launcher_(launcher),
      spec_(std::move(spec)),
      listener_(std::move(listener)),
      app_log_(executor, spec_.app_log),
      sidecar_log_(executor, spec_.sidecar_log),
      logs_(executor),
      attempt_(executor),
      pause_(clock.make_timer()),
      probe_pause_(clock.make_timer()) {
  spec_.app.log_fd = app_log_.write_fd();
  spec_.sidecar.log_fd = sidecar_log_.write_fd();
}

Replica::~Replica() = default;

Task<> Replica::run() {
  logs_.spawn(app_log_.run());
  logs_.spawn(sidecar_log_.run());
  while (!stopping_) {
    const TimePoint began = clock_.now();
    co_await run_once();
    if (stopping_) break;
    facts_.retry_in = back_off_.after(began, clock_.now());
    facts_.state = ReplicaFacts::State::waiting;
    listener_(*this, Happening::exited);
    if (facts_.retry_in > Duration::zero()) {
      const TimePoint next = clock_.now() + facts_.retry_in;
      co_await pause_->wait_until(next);
    }
  }
  app_log_.close();
  sidecar_log_.close();
  co_await logs_.join();
  facts_.state = ReplicaFacts::State::ended;
  listener_(*this, Happening::ended);
}

Task<> Replica::run_once() {
  app_gone_ = std::make_unique<Event>(clock_);
  sidecar_gone_ = std::make_unique<Event>(clock_);
  over_ = std::make_unique<Event>(clock_);
  winding_down_ = false;
  shim_ = std::make_unique<Shim>(executor_, launcher_);
  facts_.state = ReplicaFacts::State::starting;
  const Result<> started = shim_->start({spec_.sidecar, spec_.app});
  if (started) {
    attempt_.spawn(probe());
    for (;;) {
      const auto report = co_await shim_->next();
      if (!report) break;
      handle(*report);
    }
  } else {
    ReplicaExit exit;
    exit.role = "app";
    exit.text = fmt::format("{}: {}", launcher_.program(), started.error().message());
    facts_.last_exit = std::move(exit);
    ++facts_.restarts;
  }
  over_->set();
  app_gone_->set();
  sidecar_gone_->set();
  probe_pause_->cancel();
  co_await attempt_.join();
  shim_.reset();
  facts_.app_pid = facts_.sidecar_pid = 0;
}

void Replica::handle(const ShimReport& report) {
  const bool app = report.role == spec_.app.role;
  switch (report.kind) {
    case ShimReport::Kind::started:
      (app ? facts_.app_pid : facts_.sidecar_pid) = report.pid;
      (app ? facts_.app_exec_us : facts_.sidecar_exec_us) = report.exec_us;
      if (facts_.app_pid == 0 || facts_.sidecar_pid == 0 || winding_down_) return;
      facts_.state = ReplicaFacts::State::running;
      listener_(*this, Happening::started);
      if (stopping_) begin_wind_down(drain_, grace_);
      return;
    case ShimReport::Kind::failed:
    case ShimReport::Kind::exited:
      (app ? facts_.app_pid : facts_.sidecar_pid) = 0;
      if (!stopping_ && !winding_down_) note_exit(report);
      (app ? app_gone_ : sidecar_gone_)->set();
      set_ready(false);
      if (!stopping_) begin_wind_down(kSurvivorDrain, kSurvivorGrace);
      return;
    case ShimReport::Kind::empty: return;
  }
}

void Replica::note_exit(const ShimReport& report) {
  const bool app = report.role == spec_.app.role;
  LogPump& log = app ? app_log_ : sidecar_log_;
  log.drain();
  ReplicaExit exit;
  exit.role = report.role;
  exit.by_signal = report.by_signal;
  exit.code = report.kind == ShimReport::Kind::failed ? 127 : report.code;
  exit.text = report.text;
  exit.lines = log.file().last_lines(LogFile::kLinesKept);
  log.file().forget_lines();
  facts_.last_exit = std::move(exit);
  ++facts_.restarts;
}

void Replica::stop(Duration drain, Duration grace) {
  const bool again = stopping_;
  stopping_ = true;
  drain_ = drain;
  grace_ = grace;
  facts_.state = ReplicaFacts::State::terminating;
  set_ready(false);
  pause_->cancel();
  if (!shim_ || over_->happened()) return;
  if (again) {
    attempt_.spawn(kill_at(clock_.now() + drain + grace));
  } else if (facts_.app_pid != 0 && facts_.sidecar_pid != 0) {
    begin_wind_down(drain, grace);
  }  // else handle() begins it, once both are there
}

void Replica::begin_wind_down(Duration drain, Duration grace) {
  if (winding_down_) return;
  winding_down_ = true;
  attempt_.spawn(wind_down(drain, grace));
}

Task<> Replica::wind_down(Duration drain, Duration grace) {
  if (!sidecar_gone_->happened()) shim_->term(spec_.sidecar.role);
  const TimePoint drained = clock_.now() + drain;
  co_await sidecar_gone_->wait(drained);
  if (!app_gone_->happened()) shim_->term(spec_.app.role);
  const TimePoint end = clock_.now() + grace;
  co_await app_gone_->wait(end);
  shim_->kill();
}

Task<> Replica::kill_at(TimePoint when) {
  const bool ended = co_await over_->wait(when);
  if (!ended) shim_->kill();
}

Task<> Replica::probe() {
  Duration pause = milliseconds(20);
  int failures = 0;
  while (!over_->happened()) {
    // A sidecar holds the answer until its app is ready or its own patience ends, so waiting for
    // it costs nothing and tells at once.
    const TimePoint deadline = clock_.now() + (facts_.ready ? seconds(2) : seconds(10));
    control::Ask what = readiness_ask();
    const auto answer =
        co_await control::ask(executor_, clock_, spec_.probe, std::move(what), deadline);
    if (over_->happened()) break;
    const bool good = answer && answer->status == 200;
    failures = good ? 0 : failures + 1;
    if (good && !stopping_ && !winding_down_) set_ready(true);
    if (failures >= kProbeFailures) set_ready(false);
    if (facts_.ready) {
      pause = seconds(1);
    } else {
      pause = std::min<Duration>(pause * 3 / 2, seconds(1));
    }
    const TimePoint next = clock_.now() + pause;
    co_await probe_pause_->wait_until(next);
  }
}

void Replica::set_ready(bool ready) {
  if (facts_.ready == ready) return;
  facts_.ready = ready;
  listener_(*this, Happening::changed);
}

std::vector<std::string> Replica::last_lines(std::size_t count) {
  app_log_.drain();
  return app_log_.file().last_lines(count);
}

}  // namespace pilotlight::local
