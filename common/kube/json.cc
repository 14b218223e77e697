#include "common/kube/json.h"

#include <charconv>
#include <system_error>

namespace pilotlight::kube {
namespace {

// Copying and writing a value recurse once a level, so what nests deeper must not get in.
constexpr int kMaxDepth = 256;

bool too_deep(std::string_view bytes) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

const Json* find(const Json& object, Path path) noexcept {
  const Json* at = &object;
  for (const std::string_view key : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(key);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string_view text(const Json& object, Path path) noexcept {
  const Json* found = find(object, path);
  const auto* value = found == nullptr ? nullptr : found->get_ptr<const std::string*>();
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

std::optional<std::int64_t> integer(const Json& object, Path path) noexcept {
  const Json* found = find(object, path);
  if (found == nullptr || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned()) {
    const auto value = found->get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(value);
  }
  return found->get<std::int64_t>();
}

bool boolean(const Json& object, Path path, bool fallback) noexcept {
  const Json* found = find(object, path);
  return found != nullptr && found->is_boolean() ? found->get<bool>() : fallback;
}

const Json& array(const Json& object, Path path) noexcept {
  static const Json none = Json::array();
  const Json* found = find(object, path);
  return found != nullptr && found->is_array() ? *found : none;
}

std::optional<Json> parse_json(std::string_view bytes) {
  if (too_deep(bytes)) return std::nullopt;
  Json parsed = Json::parse(bytes, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

std::string to_text(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view name_of(const Json& object) noexcept { return text(object, {"metadata", "name"}); }

std::string_view namespace_of(const Json& object) noexcept {
  return text(object, {"metadata", "namespace"});
}

std::string_view resource_version_of(const Json& object) noexcept {
  return text(object, {"metadata", "resourceVersion"});
}

std::string_view label_of(const Json& object, std::string_view key) noexcept {
  return text(object, {"metadata", "labels", key});
}

std::string_view annotation_of(const Json& object, std::string_view key) noexcept {
  return text(object, {"metadata", "annotations", key});
}

Json delete_options(const Json& seen) {
  Json only;
  for (const char* key : {"uid", "resourceVersion"}) {
    const std::string_view known = text(seen, {"metadata", key});
    if (!known.empty()) only[key] = std::string(known);
  }
  if (only.is_null()) return only;
  return {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", std::move(only)}};
}

std::int32_t deletion_cost_of(const Json& pod) noexcept {
  const std::string_view text = annotation_of(pod, kDeletionCost);
  const char* const end = text.data() + text.size();
  std::int32_t cost = 0;
  const auto read = std::from_chars(text.data(), end, cost);
  return read.ec == std::errc() && read.ptr == end ? cost : 0;
}

}  // namespace pilotlight::kube
