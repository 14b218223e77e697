#include "controller/selection.h"

#include <algorithm>
#include <limits>

namespace pilotlight::controller {
Selection::Labels Selection::read(const kube::Json& labels) {
  Labels out;
  if (!labels.is_object()) return out;
  for (const auto& [name, value] : labels.items()) {
    // What is no text is no label: a selector with it must not match more for that.
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr) return Labels();
    out.emplace(name, *text);
  }
  return out;
}

Selection::Label Selection::rarest(const Index& index, const Key& key, const Labels& of) {
  Label best;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const auto& [name, value] : of) {
    Label label(key.first, name, value);
    const std::size_t count = index.at(label).size();
    if (count >= fewest) continue;
    fewest = count;
    best = std::move(label);
  }
  return best;
}

bool Selection::matches(const Labels& wants, const Labels& labels) const {
  ++compared_;
  return std::includes(labels.begin(), labels.end(), wants.begin(), wants.end());
}

void Selection::set_selector(const Key& service, const kube::Json& selector) {
  const auto last = selectors_.find(service);
  if (last != selectors_.end()) {
    services_by_.remove(last->second.filed, service);
    selectors_.erase(last);
  }
  Selector now;
  now.wants = read(selector);
  if (now.wants.empty()) return;
  now.filed = rarest(services_by_, service, now.wants);
  services_by_.add(now.filed, service);
  selectors_.emplace(service, std::move(now));
}

void Selection::set_labels(const Key& deployment, const kube::Json& labels) {
  const auto last = labels_.find(deployment);
  if (last != labels_.end()) {
    for (const auto& [name, value] : last->second) {
      deployments_by_.remove(Label(deployment.first, name, value), deployment);
    }
    labels_.erase(last);
  }
  Labels now = read(labels);
  if (now.empty()) return;
  for (const auto& [name, value] : now) {
    deployments_by_.add(Label(deployment.first, name, value), deployment);
  }
  labels_.emplace(deployment, std::move(now));
}

std::set<Key> Selection::services_of(const Key& deployment) const {
  std::set<Key> out;
  const auto asked = labels_.find(deployment);
  if (asked == labels_.end()) return out;
  for (const auto& [name, value] : asked->second) {
    for (const Key& service : services_by_.at(Label(deployment.first, name, value))) {
      if (matches(selectors_.at(service).wants, asked->second)) out.insert(service);
    }
  }
  return out;
}

std::set<Key> Selection::deployments_of(const Key& service) const {
  std::set<Key> out;
  const auto asked = selectors_.find(service);
  if (asked == selectors_.end()) return out;
  const Labels& wants = asked->second.wants;
  for (const Key& deployment : deployments_by_.at(rarest(deployments_by_, service, wants))) {
    if (matches(wants, labels_.at(deployment))) out.insert(deployment);
  }
  return out;
}

}  // namespace pilotlight::controller
