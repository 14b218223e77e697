#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

#include "common/kube/json.h"

namespace pilotlight::local {

/// Which objects a list or watch wants: a label selector and a field selector in Kubernetes'
/// syntax.
///
/// Labels: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined by commas. As in
/// Kubernetes, `!=` and `notin` also match objects without the label. Fields: `path=value`,
/// `path!=value` for the paths metadata.name, metadata.namespace, status.phase, status.podIP,
/// spec.nodeName, involvedObject.name, involvedObject.kind, reason and type.
class Selector {
 public:
  /// The error says which part was not understood.
  [[nodiscard]] static boost::system::result<Selector, std::string> parse(std::string_view labels,
                                                                          std::string_view fields);

  [[nodiscard]] bool matches(const kube::Json& object) const;
  [[nodiscard]] bool empty() const noexcept { return labels_.empty() && fields_.empty(); }

 private:
  struct LabelRule {
    std::string key;
    std::vector<std::string> values;  // empty: only whether the label is there counts
    bool negated = false;
  };
  struct FieldRule {
    std::string path;
    std::string value;
    bool negated = false;
  };

  std::vector<LabelRule> labels_;
  std::vector<FieldRule> fields_;
};

}  // namespace pilotlight::local
