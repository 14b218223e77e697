#include "config/container_env.h"

#include <algorithm>
#include <optional>

namespace pilotlight::config {
namespace {

const EnvVar* find(const std::vector<EnvVar>& known, std::string_view name) {
  const auto same = [&](const EnvVar& variable) { return variable.name == name; };
  const auto found = std::find_if(known.rbegin(), known.rend(), same);
  return found == known.rend() ? nullptr : &*found;
}

void set(std::vector<EnvVar>& env, const std::string& name, std::string value) {
  for (EnvVar& variable : env) {
    if (variable.name != name) continue;
    variable.value = std::move(value);
    return;
  }
  env.push_back(EnvVar{name, std::move(value)});
}

}  // namespace

std::string expand(std::string_view text, const std::vector<EnvVar>& known) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {  // $$ is one $, and the parenthesis behind it is only text
      out += '$';
      text.remove_prefix(1);
      continue;
    }
    const std::size_t close = text.starts_with('(') ? text.find(')') : std::string_view::npos;
    const EnvVar* variable =
        close == std::string_view::npos ? nullptr : find(known, text.substr(1, close - 1));
    if (variable == nullptr) {
      out += '$';
      continue;
    }
    out += variable->value;
    text.remove_prefix(close + 1);
  }
  return out;
}

Expanded expand_container(const Container& container, const std::vector<EnvVar>& given) {
  Expanded out;
  for (const EnvVar& variable : given) set(out.env, variable.name, variable.value);
  for (const EnvVar& variable : container.env) {
    set(out.env, variable.name, expand(variable.value, out.env));
  }
  for (const std::string& word : container.command) out.command.push_back(expand(word, out.env));
  for (const std::string& word : container.args) out.command.push_back(expand(word, out.env));
  return out;
}

}  // namespace pilotlight::config
