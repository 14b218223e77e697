#include "controller/reconciler.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/net/dialer.h"
#include "config/revision.h"

namespace pilotlight::controller {
namespace {

constexpr std::chrono::seconds kCallTime{10};

std::string text_of(const Key& key) { return key.first + "/" + key.second; }

/// The first of a set, taken out of it.
Key take_first(std::set<Key>& keys) {
  Key first = *keys.begin();
  keys.erase(keys.begin());
  return first;
}

/// Whether a Service has become ours, or nobody's, as it was asked: a webhook may have its own
/// mind.
bool took(const Json& asked, const Json& written) {
  return kube::label_of(asked, config::kManagedLabel) ==
         kube::label_of(written, config::kManagedLabel);
}

}  // namespace

Reconciler::Feed::Feed(Reconciler& owner, kube::Watcher::What what)
    : reconciler(owner),
      resource(what.resource),
      watch(owner.parts_.client, owner.parts_.clock, std::move(what), *this, owner.parts_.random) {}

void Reconciler::Feed::applied(const Json& object) {
  reconciler.touch(reconciler.state_.applied(resource, object));
}

void Reconciler::Feed::removed(const Json& object) {
  reconciler.touch(reconciler.state_.removed(resource, object));
}

void Reconciler::Feed::synced() { reconciler.changed_.set(); }

Reconciler::Reconciler(Parts parts, Key activator)
    : parts_(parts),
      state_(std::move(activator)),
      changed_(parts.clock),
      doors_(parts.clock, [this](tcp::endpoint where,
                                 TimePoint deadline) { return dial_activator(where, deadline); }),
      services_(*this, kube::Watcher::What::all(kube::kServices)),
      deployments_(*this, kube::Watcher::What::all(kube::kDeployments, config::kInjectSelector)),
      slices_(*this,
              kube::Watcher::What::all(kube::kEndpointSlices, "kubernetes.io/service-name")) {}

bool Reconciler::synced() const noexcept {
  return services_.watch.synced() && deployments_.watch.synced() && slices_.watch.synced();
}

void Reconciler::stop() noexcept {
  stopped_ = true;
  services_.watch.close();
  deployments_.watch.close();
  slices_.watch.close();
  changed_.set();
}

void Reconciler::lead(bool leading) {
  leading_ = leading;
  if (leading) {
    touch(state_.everything());  // what the last leader left undone nobody else would see
  } else {
    left_alone_.clear();
  }
  changed_.set();
}

void Reconciler::touch(const ClusterState::Touched& touched) {
  services_due_.insert(touched.services.begin(), touched.services.end());
  due_.insert(touched.deployments.begin(), touched.deployments.end());
  for (const std::uint16_t port : touched.ports) doors_.forget(port);
  if (!at_rest()) changed_.set();
}

Task<> Reconciler::run() {
  while (!stopped_) {
    if (!leading_ || !synced() || at_rest()) {
      co_await rest();
      continue;
    }
    if (!due_.empty()) {
      const Key key = take_first(due_);
      const Result<> kept = co_await keep_private(key);
      note(kept, key, deployments_again_);
      continue;
    }
    const Key key = take_first(services_due_);
    const Result<> kept = co_await keep_service(key);
    note(kept, key, services_again_);
  }
}

void Reconciler::note(const Result<>& kept, const Key& key, RetryTimes& again) {
  if (kept) {
    again.done(key);
  } else {
    again.failed(key, parts_.clock.now(), parts_.random);
  }
}

/// Until something changes, or something that has failed is due again.
Task<> Reconciler::rest() {
  changed_.reset();
  co_await changed_.wait(std::min(services_again_.next(), deployments_again_.next()));
  ClusterState::Touched again;
  again.services = services_again_.take_due(parts_.clock.now());
  again.deployments = deployments_again_.take_due(parts_.clock.now());
  touch(again);
}

Task<Result<>> Reconciler::keep_private(Key deployment) {
  const ClusterState::PrivateFacts facts = state_.private_facts(deployment);
  if (facts.deployment == nullptr) co_return Result<>();
  auto step = plan_private_service(*facts.deployment, facts.service);
  if (!step) co_return Result<>();
  co_return co_await carry_out(std::move(*step));
}

Task<Result<>> Reconciler::keep_service(Key service) {
  if (const Json* orphan = state_.orphan(service)) {
    Step step;
    step.verb = Step::Verb::remove;
    step.resource = kube::kServices;
    step.object = *orphan;
    co_return co_await carry_out(std::move(step));
  }
  auto facts = state_.facts(service);
  if (!facts) {
    note_left_alone(service, "");
    co_return Result<>();
  }
  const std::uint16_t port = port_of(facts->service);
  std::vector<Place> listening;
  bool all = true;
  if (port != 0 && facts->deployment != nullptr) {
    const std::vector<Place> activators = std::move(facts->activators);
    doors_.keep(state_.activators());
    for (const Place& activator : activators) {
      const bool open = co_await doors_.open(activator.ip, port);
      if (open) listening.push_back(activator);
      all = all && open;
    }
    facts = state_.facts(service);  // it may have changed meanwhile
    if (!facts || !leading_) co_return Result<>();
  }
  facts->activators = std::move(listening);
  Plan plan = plan_service(*facts);
  note_left_alone(service, plan.left_alone);
  for (Step& step : plan.steps) {
    if (!leading_) co_return Result<>();  // whoever leads now plans anew
    const Result<> done = co_await carry_out(std::move(step));
    if (!done) co_return done;
  }
  // An activator that does not listen yet will soon: nothing else would say so.
  if (!all) co_return make_error_code(FlowError::upstream_refused);
  co_return Result<>();
}

Task<Result<>> Reconciler::carry_out(Step step) {
  const TimePoint deadline = parts_.clock.now() + kCallTime;
  const std::string space(kube::namespace_of(step.object));
  const std::string name(kube::name_of(step.object));
  Result<Json> written = Json();
  switch (step.verb) {
    case Step::Verb::create:
      written = co_await parts_.client.create(step.resource, space, step.object, deadline);
      break;
    case Step::Verb::update:
      written = co_await parts_.client.update(step.resource, space, step.object, deadline);
      break;
    case Step::Verb::remove:
      written = co_await parts_.client.remove(step.resource, space, name,
                                              kube::delete_options(step.object), deadline);
      if (!written && written.error() == FlowError::not_found) written = Json();
      break;
  }
  if (step.verb != Step::Verb::remove && written && !took(step.object, *written)) {
    written = make_error_code(FlowError::conflict);
  }
  ++writes_[{std::string(step.resource.plural), written ? "taken" : "failed"}];
  if (!written) {
    log_warn("write refused", {{"kind", step.resource.plural},
                               {"object", space + "/" + name},
                               {"error", written.error().message()}});
    co_return written.error();
  }
  // The watch says the same a moment later; until then this is the newest.
  if (step.verb == Step::Verb::remove) {
    touch(state_.removed(step.resource, step.object));
  } else {
    touch(state_.applied(step.resource, *written));
  }
  co_return Result<>();
}

Task<Result<>> Reconciler::dial_activator(tcp::endpoint where, TimePoint deadline) {
  TcpStream stream(parts_.executor);
  co_return co_await dial(stream, parts_.deadlines, where, deadline);
}

void Reconciler::note_left_alone(const Key& service, const std::string& reason) {
  if (reason.empty()) {
    left_alone_.erase(service);
    return;
  }
  std::string& known = left_alone_[service];
  if (known == reason) return;
  known = reason;
  log_warn("service left alone", {{"service", text_of(service)}, {"reason", reason}});
}

}  // namespace pilotlight::controller
