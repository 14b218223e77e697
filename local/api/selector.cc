#include "local/api/selector.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace pilotlight::local {
namespace {

constexpr std::array<std::string_view, 9> kFields = {
    "metadata.name",       "metadata.namespace",  "status.phase", "status.podIP", "spec.nodeName",
    "involvedObject.name", "involvedObject.kind", "reason",       "type"};

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// Splits at commas that are not inside parentheses.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const char c = at < text.size() ? text[at] : ',';
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c != ',' || (depth > 0 && at < text.size())) continue;
    parts.push_back(trim(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  return parts;
}

bool good_token(std::string_view token) {
  return token.find_first_of(" ()=!,") == std::string_view::npos;
}

struct Operation {
  std::string_view left;
  std::string_view right;
  bool negated = false;
};

/// `a=b`, `a==b` or `a!=b`; none when there is no such operator.
std::optional<Operation> split_operation(std::string_view part) {
  const auto equals = part.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  Operation operation;
  operation.negated = part[equals - 1] == '!';
  operation.left = trim(part.substr(0, operation.negated ? equals - 1 : equals));
  operation.right = part.substr(equals + 1);
  if (!operation.negated && operation.right.starts_with('=')) operation.right.remove_prefix(1);
  operation.right = trim(operation.right);
  return operation;
}

std::string_view value_at(const kube::Json& object, std::string_view path) {
  const auto dot = path.find('.');
  return kube::text(object, {path.substr(0, dot), path.substr(dot + 1)});
}

}  // namespace

boost::system::result<Selector, std::string> Selector::parse(std::string_view labels,
                                                             std::string_view fields) {
  Selector selector;
  for (const std::string_view part : split(labels)) {
    if (part.empty()) continue;
    const std::string problem = "unable to parse requirement: \"" + std::string(part) + "\"";
    LabelRule rule;
    const auto open = part.find('(');
    if (open != std::string_view::npos) {
      const std::string_view before = trim(part.substr(0, open));
      const auto space = before.rfind(' ');
      if (space == std::string_view::npos || !part.ends_with(')')) return problem;
      const std::string_view word = before.substr(space + 1);
      if (word != "in" && word != "notin") return problem;
      rule.key = std::string(trim(before.substr(0, space)));
      rule.negated = word == "notin";
      for (const auto value : split(part.substr(open + 1, part.size() - open - 2))) {
        if (!good_token(value)) return problem;
        rule.values.emplace_back(value);
      }
    } else if (const auto operation = split_operation(part)) {
      rule.key = std::string(operation->left);
      rule.negated = operation->negated;
      if (!good_token(operation->right)) return problem;
      rule.values.emplace_back(operation->right);
    } else {
      rule.negated = part.starts_with('!');
      rule.key = std::string(trim(rule.negated ? part.substr(1) : part));
    }
    if (rule.key.empty() || !good_token(rule.key)) return problem;
    selector.labels_.push_back(std::move(rule));
  }
  for (const std::string_view part : split(fields)) {
    if (part.empty()) continue;
    const auto operation = split_operation(part);
    if (!operation) {
      return "invalid field selector: \"" + std::string(part) + "\", expected path=value";
    }
    if (std::find(kFields.begin(), kFields.end(), operation->left) == kFields.end()) {
      return "field label not supported: " + std::string(operation->left);
    }
    FieldRule rule;
    rule.path = std::string(operation->left);
    rule.value = std::string(operation->right);
    rule.negated = operation->negated;
    selector.fields_.push_back(std::move(rule));
  }
  return selector;
}

bool Selector::matches(const kube::Json& object) const {
  const auto label_holds = [&object](const LabelRule& rule) {
    const kube::Json* label = kube::find(object, {"metadata", "labels", rule.key});
    const bool there = label != nullptr && label->is_string();
    if (rule.values.empty()) return there != rule.negated;
    const bool among =
        there && std::find(rule.values.begin(), rule.values.end(),
                           label->get_ref<const std::string&>()) != rule.values.end();
    return among != rule.negated;
  };
  const auto field_holds = [&object](const FieldRule& rule) {
    return (value_at(object, rule.path) == rule.value) != rule.negated;
  };
  return std::all_of(labels_.begin(), labels_.end(), label_holds) &&
         std::all_of(fields_.begin(), fields_.end(), field_holds);
}

}  // namespace pilotlight::local
