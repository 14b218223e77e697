#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "common/kube/json.h"
#include "controller/key_index.h"

namespace pilotlight::controller {

/// Which Services select the pods of which Deployments, asked from either side. A plain value.
///
/// Selectors and labels are read when they are set, and never again. A question costs as much as
/// there are objects with the rarest of its labels, not as there are objects: most often one.
class Selection {
 public:
  /// What a Service selects by. What is empty, or no selector, selects nothing.
  void set_selector(const Key& service, const kube::Json& selector);
  /// What the pods of a Deployment carry; null when it is gone.
  void set_labels(const Key& deployment, const kube::Json& labels);

  [[nodiscard]] std::set<Key> services_of(const Key& deployment) const;
  [[nodiscard]] std::set<Key> deployments_of(const Key& service) const;

  /// Selectors that have been compared with labels so far: what all questions have cost.
  [[nodiscard]] std::uint64_t compared() const noexcept { return compared_; }

 private:
  using Labels = std::map<std::string, std::string>;
  using Label = std::tuple<std::string, std::string, std::string>;  // namespace, name, value
  using Index = KeyIndex<Label>;
  struct Selector {
    Labels wants;
    Label filed;  // where it is in services_by_: the one of `wants` with the fewest others
  };

  [[nodiscard]] static Labels read(const kube::Json& labels);
  [[nodiscard]] static Label rarest(const Index& index, const Key& key, const Labels& of);
  [[nodiscard]] bool matches(const Labels& wants, const Labels& labels) const;

  std::map<Key, Selector> selectors_;
  std::map<Key, Labels> labels_;
  Index services_by_;     // each once: what has all labels of a selector has that one
  Index deployments_by_;  // each under all its labels
  mutable std::uint64_t compared_ = 0;
};

}  // namespace pilotlight::controller
