#include "local/component.h"

#include <utility>

#include <fmt/format.h>

namespace pilotlight::local {
namespace {

constexpr RestartBackOff::Params kComponentBackOff{
    std::chrono::milliseconds(100), std::chrono::seconds(1), std::chrono::seconds(5)};

}  // namespace

Component::Component(Executor executor, Clock& clock, ShimLauncher& launcher, ProcessSpec process,
                     const std::filesystem::path& log, Listener listener)
    : executor_(executor),
      clock_(clock),
      launcher_(launcher),
      process_(std::move(process)),
      listener_(std::move(listener)),
      log_(executor, log),
      back_off_(kComponentBackOff),
      tasks_(executor),
      pause_(clock.make_timer()) {
  process_.log_fd = log_.write_fd();
}

Task<> Component::run() {
  tasks_.spawn(log_.run());
  while (!stopping_) {
    const TimePoint began = clock_.now();
    co_await run_once();
    if (stopping_) break;
    const Duration wait = back_off_.after(began, clock_.now());
    if (wait > Duration::zero()) {
      const TimePoint next = clock_.now() + wait;
      co_await pause_->wait_until(next);
    }
  }
  log_.close();
  co_await tasks_.join();
  ended_ = true;
}

Task<> Component::run_once() {
  gone_ = std::make_unique<Event>(clock_);
  shim_ = std::make_unique<Shim>(executor_, launcher_);
  std::vector<ProcessSpec> processes{process_};
  const Result<> started = shim_->start(std::move(processes));
  if (!started) {
    End end;
    end.name = process_.role;
    end.story =
        fmt::format("could not be started: {}: {}", launcher_.program(), started.error().message());
    listener_(end);
    gone_->set();
    shim_.reset();
    co_return;
  }
  for (;;) {
    const auto report = co_await shim_->next();
    if (!report) break;
    if (report->kind == ShimReport::Kind::started) {
      pid_ = report->pid;
      if (stopping_) shim_->term(process_.role);
      continue;
    }
    pid_ = 0;
    if (!stopping_) tell_end(*report);
  }
  pid_ = 0;
  gone_->set();
  // end_by(), if it was spawned, ends at the event; logs go on.
  shim_.reset();
}

void Component::tell_end(const ShimReport& report) {
  log_.drain();
  End end;
  end.name = process_.role;
  end.story = report.kind == ShimReport::Kind::failed ? report.text
              : report.by_signal ? fmt::format("was killed by signal {}", report.code)
                                 : fmt::format("exited with {}", report.code);
  end.lines = log_.file().last_lines(3);
  log_.file().forget_lines();
  listener_(end);
}

void Component::stop(Duration grace) {
  if (stopping_) return;
  stopping_ = true;
  pause_->cancel();
  if (!shim_) return;
  if (pid_ != 0) shim_->term(process_.role);
  tasks_.spawn(end_by(clock_.now() + grace));
}

void Component::kill() {
  if (shim_) shim_->kill();
}

Task<> Component::end_by(TimePoint when) {
  const bool soon = co_await gone_->wait(when);
  if (soon || !shim_) co_return;
  shim_->term(process_.role);
  const TimePoint last = when + std::chrono::milliseconds(500);
  const bool late = co_await gone_->wait(last);
  if (!late && shim_) shim_->kill();
}

}  // namespace pilotlight::local
