#pragma once

#include "proxy/pipeline.h"

namespace pilotlight::proxy {

/// One user request: demand from here until leave(), in flight until destroyed. One that a kubelet
/// of old marked as its probe is no demand, but takes its permit like any other: a header that
/// anybody can send must not get around the limit.
class Pipeline::Request {
 public:
  Request(Pipeline& owner, const http::RequestHead& head)
      : owner_(owner),
        via_(head.value(http::FieldKind::k_proxy_request) == "activator" ? Via::activator
                                                                         : Via::client),
        present_(!head.has(http::FieldKind::k_kubelet_probe)),
        hop(head.has(http::FieldKind::pilotlight_hop)),
        begun_(owner.parts_.http.clock.now()) {
    record.begun = begun_;
    record.admitted = begun_;
    if (owner_.requests_++ == 0) owner_.parts_.listener.became_busy();
    if (present_) owner_.parts_.meter.arrived(begun_, via_);
    owner_.parts_.fence.request(begun_, hop);
  }
  ~Request() {
    if (!left_) leave(owner_.parts_.http.clock.now());
    owner_.parts_.observer.end(record, left_at_);
    if (--owner_.requests_ == 0) owner_.parts_.listener.became_idle();
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  /// It goes back where it came from.
  void bounced() noexcept {
    record.outcome = Outcome::bounced;
    record.status = 503;
  }

  /// Its client has gone, or it is over: no demand any more.
  void leave(TimePoint now) noexcept {
    if (left_) return;
    left_ = true;
    left_at_ = now;
    if (present_) owner_.parts_.meter.departed(left_at_, via_);
  }

 private:
  Pipeline& owner_;
  Via via_;
  bool present_;  // as demand
  bool left_ = false;
  TimePoint left_at_{};

 public:
  const bool hop;
  TimePoint begun_;
  RequestRecord record;
};

}  // namespace pilotlight::proxy
