#include "cli/service_name.h"

#include <string_view>

#include "config/problems.h"

namespace pilotlight::cli {
namespace {

/// A name as Kubernetes has them: letters, digits, `-` and `.`, a letter or digit at both ends.
bool is_name(std::string_view text) {
  constexpr std::string_view kEnds = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kChars = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  return !text.empty() && text.find_first_not_of(kChars) == std::string_view::npos &&
         kEnds.find(text.front()) != std::string_view::npos &&
         kEnds.find(text.back()) != std::string_view::npos;
}

}  // namespace

std::optional<std::string> wrong_service(const std::string& name) {
  const std::string_view all = name;
  const std::size_t slash = all.find('/');
  const bool has_space = slash != std::string_view::npos;
  const bool fits =
      has_space ? is_name(all.substr(0, slash)) && is_name(all.substr(slash + 1)) : is_name(all);
  if (fits) return std::nullopt;
  return "service: " + config::got_expected(config::in_quotes(name), "NAME or NAMESPACE/NAME");
}

}  // namespace pilotlight::cli
