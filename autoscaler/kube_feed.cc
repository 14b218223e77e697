#include "autoscaler/kube_feed.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/log.h"
#include "common/wire/utf8.h"
#include "config/deployment_view.h"
#include "config/json_reader.h"

namespace pilotlight::autoscaler {
namespace {

constexpr std::string_view kServiceName = "kubernetes.io/service-name";
constexpr std::string_view kPrivate = "-private";
constexpr std::string_view kPathAnnotation = "pilotlight.dev/traffic-path";  // as the controller
constexpr std::string_view kServe = "serve";
constexpr std::string_view kProxy = "proxy";
constexpr std::chrono::milliseconds kCostTime{500};
constexpr std::size_t kMessageMax = 500;  // bytes of what the API says to a PATCH

void report(const config::Problems& problems) {
  for (const std::string& problem : problems) log_warn("deployment", {{"problem", problem}});
}

std::string key_of(const kube::Json& object) {
  return std::string(kube::namespace_of(object)) + "/" + std::string(kube::name_of(object));
}

/// The revision whose private Service that is; an empty one for other Services.
wire::RevisionKey revision_of(std::string_view space, std::string_view service) {
  wire::RevisionKey key;
  if (service.size() <= kPrivate.size() || !service.ends_with(kPrivate)) return key;
  key.name_space = space;
  key.revision = service.substr(0, service.size() - kPrivate.size());
  return key;
}

wire::RevisionKey revision_of(const kube::Json& slice) {
  return revision_of(kube::namespace_of(slice), kube::label_of(slice, kServiceName));
}

std::string with_port(std::string_view address, std::int64_t port) {
  const bool v6 = address.find(':') != std::string_view::npos;
  std::string out = v6 ? "[" + std::string(address) + "]" : std::string(address);
  return out + ":" + std::to_string(port);
}

std::set<std::string> ready_addresses(const kube::Json& slice) {
  std::int64_t port = 0;
  for (const kube::Json& each : kube::array(slice, {"ports"})) {
    if (kube::text(each, {"name"}) == "http") port = kube::integer(each, {"port"}).value_or(0);
  }
  std::set<std::string> out;
  for (const kube::Json& endpoint : kube::array(slice, {"endpoints"})) {
    if (!kube::boolean(endpoint, {"conditions", "ready"}, true)) continue;
    for (const kube::Json& address : kube::array(endpoint, {"addresses"})) {
      const std::string_view text = kube::text(address, {});
      if (!text.empty()) out.insert(with_port(text, port));
    }
  }
  return out;
}

/// What the operator allows at most holds for annotations that ask for more, too.
void keep_limit(config::ScalingPolicy& policy, const config::AutoscalerDefaults& defaults) {
  if (!defaults.max_scale_limit) return;
  policy.max_scale =
      std::min(policy.max_scale.value_or(*defaults.max_scale_limit), *defaults.max_scale_limit);
}

}  // namespace

void DeploymentFeed::applied(const kube::Json& object) {
  const auto view = config::view_deployment(object);
  if (view.has_error()) return report(view.error());
  const std::string name = key_of(object);
  const auto found = known_.find(name);
  SubjectView subject;
  subject.key.name_space = view->name_space;
  subject.key.revision = view->revision;
  subject.service = view->service;
  subject.deployment = view->deployment_name;
  subject.replicas = static_cast<std::int32_t>(view->replicas);
  subject.ready = static_cast<std::int32_t>(view->ready_replicas);
  subject.generation = kube::integer(object, {"metadata", "generation"}).value_or(1);
  subject.reachable = is_reachable(object);
  subject.refused = creation_refused(object);
  config::Report problems;
  subject.policy = config::read_scaling_policy(view->annotations, view->container_concurrency, name,
                                               problems, defaults_);
  if (!problems.problems().empty()) {
    report(problems.problems());
    if (found != known_.end()) subject.policy = found->second.policy;
    subject.policy.container_concurrency = view->container_concurrency;
    keep_limit(subject.policy, defaults_);
  }
  if (found != known_.end() && found->second.revision != subject.key) {
    loop_.untrack(found->second.revision);
  }
  Known known;
  known.revision = subject.key;
  known.policy = subject.policy;
  known_[name] = std::move(known);
  loop_.track(subject);
}

void DeploymentFeed::removed(const kube::Json& object) {
  const auto known = known_.extract(key_of(object));
  if (known) loop_.untrack(known.mapped().revision);
}

void SliceFeed::applied(const kube::Json& object) {
  const wire::RevisionKey revision = revision_of(object);
  if (revision.revision.empty()) return;
  slices_[revision][std::string(kube::name_of(object))] = ready_addresses(object);
  tell(revision);
}

void SliceFeed::removed(const kube::Json& object) {
  const wire::RevisionKey revision = revision_of(object);
  const auto found = slices_.find(revision);
  if (found == slices_.end()) return;
  found->second.erase(std::string(kube::name_of(object)));
  tell(revision);
  if (found->second.empty()) slices_.erase(found);
}

void SliceFeed::tell(const wire::RevisionKey& revision) {
  std::set<std::string> all;
  for (const auto& [name, addresses] : slices_[revision])
    all.insert(addresses.begin(), addresses.end());
  registry_.set_slice_addresses(revision, std::move(all));
}

void PulledFeed::applied(const kube::Json& object) {
  const auto pulled = view_pulled(object);
  if (synced_ && pulled) loop_.image_pulled(*pulled);
}

void RivalFeed::tell(const Rivals::Touched& touched) {
  for (const Rivals::Name& deployment : {touched.before, touched.after}) {
    if (!deployment.second.empty()) loop_.rival(deployment, rivals_.of(deployment));
  }
}

void PathFeed::applied(const kube::Json& object) {
  const std::string name(kube::name_of(object));
  const wire::RevisionKey revision = revision_of(kube::namespace_of(object), name);
  if (revision.revision.empty()) return;
  paths_.seen(revision, name, kube::annotation_of(object, kPathAnnotation) == kServe);
}

void PathFeed::removed(const kube::Json& object) {
  paths_.gone(revision_of(kube::namespace_of(object), kube::name_of(object)));
}

TimePoint KubeTarget::deadline(Duration time) const {
  const TimePoint latest = clock_.now() + time;
  return fence_ ? std::min(latest, fence_()) : latest;
}

Task<Result<>> KubeTarget::annotate(kube::Resource resource, std::string name_space,
                                    std::string name, std::string_view annotation,
                                    std::string value, TimePoint deadline) {
  if (clock_.now() >= deadline) co_return make_error_code(FlowError::deadline_exceeded);
  kube::Json patch;
  patch["metadata"]["annotations"][std::string(annotation)] = std::move(value);
  const Result<kube::Json> done =
      co_await client_.patch(resource, std::move(name_space), std::move(name),
                             kube::PatchKind::merge, std::move(patch), deadline);
  if (!done) co_return done.error();
  co_return Result<>();
}

Task<> KubeTarget::set_costs(std::string name_space, std::vector<PodCost> costs) {
  const TimePoint latest = deadline(kCostTime);
  for (const PodCost& each : costs) {
    if (clock_.now() >= latest) break;
    std::string value = std::to_string(each.cost);
    const Result<> done = co_await annotate(kube::kPods, name_space, each.pod, kube::kDeletionCost,
                                            std::move(value), latest);
    if (done || done.error() == make_error_code(FlowError::not_found)) continue;
    log_warn("pod-deletion-cost not set",
             {{"namespace", name_space}, {"pod", each.pod}, {"reason", done.error().message()}});
    break;  // whoever goes goes: the scale-down is what matters
  }
}

Task<Result<>> KubeTarget::mark_path(std::string name_space, std::string service, bool direct) {
  std::string value(direct ? kServe : kProxy);
  const TimePoint latest = deadline(patch_time_);
  co_return co_await annotate(kube::kServices, std::move(name_space), std::move(service),
                              kPathAnnotation, std::move(value), latest);
}

Task<PatchAnswer> KubeTarget::set_replicas(std::string name_space, std::string deployment,
                                           std::int32_t replicas) {
  const TimePoint latest = deadline(patch_time_);
  PatchAnswer answer;
  if (clock_.now() >= latest) {
    answer.error = FlowError::deadline_exceeded;
    co_return answer;
  }
  const kube::ScaleAnswer scale =
      co_await client_.send_scale(std::move(name_space), std::move(deployment), replicas, latest);
  answer.status = scale.status;
  answer.retry_after = scale.retry_after;
  answer.error = scale.error;
  if (scale.error) {
    answer.message = wire::one_line(kube::text(scale.scale, {"message"}), kMessageMax);
  }
  co_return answer;
}

}  // namespace pilotlight::autoscaler
