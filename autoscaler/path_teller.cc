#include "autoscaler/path_teller.h"

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"

namespace pilotlight::autoscaler {

void PathTeller::want(const wire::RevisionKey& revision, bool direct) {
  marks_.want(revision, direct);
  if (!busy_) timer_->cancel();
}

void PathTeller::seen(const wire::RevisionKey& revision, const std::string& service, bool direct) {
  marks_.seen(revision, service, direct);
  if (!busy_) timer_->cancel();
}

Task<> PathTeller::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    const auto attempt = marks_.next(clock_.now());
    if (!attempt) {
      co_await timer_->wait_until(marks_.next_due());
      continue;
    }
    busy_ = true;
    const Result<> done =
        co_await target_.mark_path(attempt->revision.name_space, attempt->service, attempt->direct);
    busy_ = false;
    marks_.ended(*attempt, done.has_value(), clock_.now(), random_);
    ++(done ? taken_ : failed_);
    const std::string_view path = attempt->direct ? "serve" : "proxy";
    if (done) {
      log_info("traffic path", {{"namespace", attempt->revision.name_space},
                                {"revision", attempt->revision.revision},
                                {"path", path}});
    } else {
      log_warn("traffic path not marked", {{"namespace", attempt->revision.name_space},
                                           {"revision", attempt->revision.revision},
                                           {"path", path},
                                           {"reason", done.error().message()}});
    }
  }
}

void PathTeller::close() noexcept {
  closed_ = true;
  timer_->cancel();
}

}  // namespace pilotlight::autoscaler
