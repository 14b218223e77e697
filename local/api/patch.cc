#include "local/api/patch.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace pilotlight::local {
namespace {

using kube::Json;

constexpr std::string_view kDeleteFrom = "$deleteFromPrimitiveList/";
constexpr std::string_view kOrder = "$setElementOrder/";

struct MergeKey {
  std::string_view list;
  std::string_view key;
};

// Kubernetes' patchMergeKey tags of the fields that Deployments, Pods and Services have.
constexpr std::array<MergeKey, 10> kMergeKeys = {{{"containers", "name"},
                                                  {"initContainers", "name"},
                                                  {"ephemeralContainers", "name"},
                                                  {"env", "name"},
                                                  {"volumes", "name"},
                                                  {"imagePullSecrets", "name"},
                                                  {"volumeMounts", "mountPath"},
                                                  {"conditions", "type"},
                                                  {"hostAliases", "ip"},
                                                  {"ownerReferences", "uid"}}};

/// The key by which the objects of list `name` are told apart; none when the list is replaced.
std::optional<std::string> merge_key_of(std::string_view name, const Json& list) {
  for (const MergeKey& known : kMergeKeys) {
    if (known.list == name) return std::string(known.key);
  }
  if (name == "ports") {
    const bool of_container = std::any_of(list.begin(), list.end(), [](const Json& port) {
      return port.is_object() && port.contains("containerPort");
    });
    return of_container ? "containerPort" : "port";
  }
  return std::nullopt;
}

void merge_list(Json& list, const Json& patch, const std::string& key) {
  if (!list.is_array()) list = Json::array();
  for (const Json& item : patch) {
    if (kube::text(item, {"$patch"}) == "replace") list = Json::array();
  }
  for (const Json& item : patch) {
    const Json* id = kube::find(item, {key});
    if (id == nullptr) {
      if (!item.is_object() || !item.contains("$patch")) list.push_back(item);
      continue;
    }
    const auto same = [&key, id](const Json& other) {
      const Json* other_id = kube::find(other, {key});
      return other_id != nullptr && *other_id == *id;
    };
    const auto found = std::find_if(list.begin(), list.end(), same);
    if (kube::text(item, {"$patch"}) == "delete") {
      if (found != list.end()) list.erase(found);
    } else if (found != list.end()) {
      strategic_merge(*found, item);
    } else {
      Json fresh = Json::object();
      strategic_merge(fresh, item);
      list.push_back(std::move(fresh));
    }
  }
}

void delete_from(Json& object, const std::string& name, const Json& values) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array() || !values.is_array()) return;
  Json kept = Json::array();
  for (const Json& value : *found) {
    if (std::find(values.begin(), values.end(), value) == values.end()) kept.push_back(value);
  }
  *found = std::move(kept);
}

void retain(Json& object, const Json& keys) {
  if (!keys.is_array()) return;
  for (auto at = object.begin(); at != object.end();) {
    const bool kept = std::find(keys.begin(), keys.end(), Json(at.key())) != keys.end();
    at = kept ? std::next(at) : object.erase(at);
  }
}

void merge_field(Json& object, const std::string& name, const Json& value) {
  if (value.is_null()) {
    object.erase(name);
    return;
  }
  if (value.is_object()) {
    Json& field = object[name];
    if (!field.is_object()) field = Json::object();
    if (kube::text(value, {"$patch"}) == "delete") {
      object.erase(name);
    } else {
      strategic_merge(field, value);
    }
    return;
  }
  if (value.is_array()) {
    if (const auto key = merge_key_of(name, value)) {
      merge_list(object[name], value, *key);
      return;
    }
    if (name == "finalizers" && object.contains(name)) {
      for (const Json& item : value) {
        Json& list = object[name];
        if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
      }
      return;
    }
  }
  object[name] = value;
}

Patched apply_json_patch(const Json& object, const Json& patch) {
  if (!patch.is_array()) return bad_request("json patch: got no array of operations");
  try {
    return Patched(boost::system::in_place_value, object.patch(patch));
  } catch (const Json::exception& problem) {
    Refusal refusal = bad_request(std::string("the server rejected our request due to an error in "
                                              "our request: ") +
                                  problem.what());
    refusal.code = 422;
    refusal.reason = "Invalid";
    return refusal;
  }
}

std::string_view bare(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return content_type;
}

}  // namespace

void strategic_merge(Json& object, const Json& patch) {
  if (!object.is_object()) object = Json::object();
  if (kube::text(patch, {"$patch"}) == "replace") object = Json::object();
  if (const Json* keys = kube::find(patch, {"$retainKeys"})) retain(object, *keys);
  for (const auto& [name, value] : patch.items()) {
    if (name == "$patch" || name == "$retainKeys" || name.starts_with(kOrder)) continue;
    if (name.starts_with(kDeleteFrom)) {
      delete_from(object, name.substr(kDeleteFrom.size()), value);
    } else {
      merge_field(object, name, value);
    }
  }
}

Patched apply_patch(const Json& object, std::string_view content_type, std::string_view body) {
  const std::string_view type = bare(content_type);
  if (type == "application/apply-patch+yaml") {
    return unsupported_media_type(
        "server-side apply (application/apply-patch+yaml) is not supported here: use a merge, "
        "strategic merge or JSON patch");
  }
  if (type != "application/merge-patch+json" && type != "application/strategic-merge-patch+json" &&
      type != "application/json-patch+json") {
    return unsupported_media_type(
        "the body of the request was in an unknown format - accepted "
        "media types include: application/json-patch+json, "
        "application/merge-patch+json, "
        "application/strategic-merge-patch+json");
  }
  const std::optional<Json> patch = kube::parse_json(body);
  if (!patch) return bad_request("the patch is not JSON");
  if (type == "application/json-patch+json") return apply_json_patch(object, *patch);
  if (!patch->is_object()) return bad_request("the patch is not a JSON object");
  Json changed = object;
  if (type == "application/merge-patch+json") {
    changed.merge_patch(*patch);
  } else {
    strategic_merge(changed, *patch);
  }
  return Patched(boost::system::in_place_value, std::move(changed));
}

}  // namespace pilotlight::local
