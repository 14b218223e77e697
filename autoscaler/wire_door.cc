#include "autoscaler/wire_door.h"

#include "common/base/system_clock.h"

namespace pilotlight::autoscaler {
namespace {

constexpr kube::Resource kTokenReviews{"authentication.k8s.io", "v1", "tokenreviews"};

// Connections of their own: a flood of forged tokens must not keep a PATCH waiting.
constexpr std::size_t kReviewConnections = 4;

WallTime today() {
  return WallTime(
      std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(wall_clock_ns())));
}

void turn_out(wire::Server& server, const PodIdentity& pod, const std::string& address) {
  wire::Objection objection;
  objection.why = wire::Refusal::pod;
  objection.text = address + " is no address of pod " + pod.name;
  server.turn_out(
      [&](const wire::Hello& hello) {
        return hello.role == wire::Role::sidecar && hello.replica == pod.name &&
               hello.revision.name_space == pod.name_space && hello.address == address;
      },
      objection);
}

class KubeReviews final : public ReviewApi {
 public:
  KubeReviews(Executor executor, Clock& clock, kube::Access access)
      : client_(executor, clock, std::move(access), kReviewConnections) {}

  Task<Result<kube::Json>> review(std::string token, TimePoint deadline) override {
    kube::Json question = token_review(token);
    co_return co_await client_.create(kTokenReviews, "", std::move(question), deadline);
  }

 private:
  kube::Client client_;
};

}  // namespace

struct WireDoor::Review {
  Review(Scope& scope, Executor executor, Clock& clock, Params params)
      : api(executor, clock, std::move(params.kube)),
        tokens(scope, clock, api, &today),
        gatekeeper(clock, tokens, std::move(params.own_space)) {}

  KubeReviews api;
  TokenReviews tokens;
  Gatekeeper gatekeeper;
};

WireDoor::WireDoor(Scope& scope, Executor executor, Clock& clock, Params params)
    : scope_(scope), deadline_runner_(deadlines_, clock) {
  if (!params.tls_folder.empty()) {
    files_ = std::make_unique<TlsFiles>(executor, clock, deadlines_, params.tls_folder,
                                        TlsSettings());  // TLS 1.3 alone
  }
  if (params.review) {
    review_ = std::make_unique<Review>(scope, executor, clock, std::move(params));
  }
}

WireDoor::~WireDoor() = default;

std::optional<std::string> WireDoor::open() {
  if (files_ == nullptr) return std::nullopt;
  const auto problem = files_->load();
  if (problem) return "--wire-tls: " + *problem;
  return std::nullopt;
}

void WireDoor::guard(wire::ServerOptions& options) {
  options.tls = files_.get();
  options.gate = review_ == nullptr ? nullptr : &review_->gatekeeper;
}

void WireDoor::start(wire::Server& server) {
  if (review_ != nullptr) {
    review_->gatekeeper.on_exposed([&server](const PodIdentity& pod, const std::string& address) {
      turn_out(server, pod, address);
    });
  }
  if (files_ == nullptr) return;
  scope_.spawn(deadline_runner_.run());
  scope_.spawn(files_->run());
}

void WireDoor::stop() noexcept {
  if (files_ == nullptr) return;
  files_->stop();
  deadline_runner_.stop();
}

void WireDoor::pod_applied(const kube::Json& pod) {
  if (review_ != nullptr) review_->gatekeeper.pod_seen(view_identity(pod));
}

void WireDoor::pod_removed(const kube::Json& pod) {
  if (review_ == nullptr) return;
  review_->gatekeeper.pod_gone(std::string(kube::namespace_of(pod)),
                               std::string(kube::name_of(pod)));
}

const TokenReviews* WireDoor::reviews() const noexcept {
  return review_ == nullptr ? nullptr : &review_->tokens;
}

}  // namespace pilotlight::autoscaler
