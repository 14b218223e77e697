#include <algorithm>
#include <array>
#include <utility>

#include "local/api/store.h"
#include "local/api/validation.h"

namespace pilotlight::local {
namespace {

constexpr std::int64_t kDefaultGraceSeconds = 30;

// What the store keeps itself; whatever a writer says about these is overwritten.
constexpr std::array<std::string_view, 5> kKept = {"uid", "creationTimestamp", "deletionTimestamp",
                                                   "deletionGracePeriodSeconds", "generation"};

bool differ(const Json& left, const Json& right, std::string_view field) {
  const Json* a = kube::find(left, {field});
  const Json* b = kube::find(right, {field});
  if (a == nullptr || b == nullptr) return a != b;
  return *a != *b;
}

void copy_field(const Json& from, Json& to, std::string_view field) {
  const Json* value = kube::find(from, {field});
  if (value != nullptr) {
    to[std::string(field)] = *value;
  } else {
    to.erase(std::string(field));
  }
}

/// Null when the versions, if `object` names one, agree.
bool stale(const Json& object, const Json& stored) {
  const std::string_view wanted = kube::resource_version_of(object);
  const std::string_view uid = kube::text(object, {"metadata", "uid"});
  return (!wanted.empty() && wanted != kube::resource_version_of(stored)) ||
         (!uid.empty() && uid != kube::text(stored, {"metadata", "uid"}));
}

void set_defaults(const Kind& kind, Json& object) {
  if (kind.kind == "Deployment") {
    if (!object["spec"].is_object()) object["spec"] = Json::object();
    Json& spec = object["spec"];
    if (!spec.contains("replicas") || spec["replicas"].is_null()) spec["replicas"] = 1;
  }
  if (kind.kind == "Pod" && kube::find(object, {"status", "phase"}) == nullptr) {
    if (!object["status"].is_object()) object["status"] = Json::object();
    object["status"]["phase"] = "Pending";
  }
}

}  // namespace

boost::system::result<ApiStore::Place, Refusal> ApiStore::locate(kube::Resource resource,
                                                                 const Json& object) {
  Place place;
  place.kind = kind_of(resource);
  if (place.kind == nullptr) return no_such_path();
  if (!object.is_object()) return bad_request("the object is not a JSON object");
  place.index = static_cast<std::size_t>(place.kind - kinds().data());
  if (place.kind->namespaced) {
    const std::string_view space = kube::namespace_of(object);
    place.space = space.empty() ? "default" : std::string(space);
  }
  place.name = std::string(kube::name_of(object));
  place.key = key_of(place.space, place.name);
  return place;
}

Stored ApiStore::create(kube::Resource resource, Json object) {
  auto place = locate(resource, object);
  if (!place) return place.error();
  const Kind& kind = *place->kind;
  if (!object["metadata"].is_object()) object["metadata"] = Json::object();
  Json& metadata = object["metadata"];
  if (!kube::resource_version_of(object).empty()) {
    return bad_request("resourceVersion should not be set on objects to be created");
  }
  const std::string_view prefix = kube::text(metadata, {"generateName"});
  if (place->name.empty() && !prefix.empty()) {
    place->name = std::string(prefix) + random_suffix();
    place->key = key_of(place->space, place->name);
    metadata["name"] = place->name;
  }
  if (objects_[place->index].contains(place->key)) return already_exists(kind, place->name);
  std::size_t stored = 0;
  for (const Objects& objects : objects_) stored += objects.size();
  if (stored >= kMaxObjects) return forbidden(kind, place->name, "exceeded quota: 10000 objects");
  set_defaults(kind, object);
  std::vector<std::string> problems = problems_of(kind, object, nullptr);
  if (!problems.empty()) return invalid(kind, place->name, std::move(problems));

  for (const std::string_view field : kKept) metadata.erase(std::string(field));
  metadata.erase("managedFields");
  if (kind.namespaced) {
    ensure_namespace(place->space);
    metadata["namespace"] = place->space;
  } else {
    metadata.erase("namespace");
  }
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = timestamp();
  if (object.contains("spec")) metadata["generation"] = 1;
  return put(*place, std::move(object), nullptr);
}

Stored ApiStore::update(kube::Resource resource, Json object) {
  const auto place = locate(resource, object);
  if (!place) return place.error();
  const Object before = find(resource, place->space, place->name);
  if (!before) return not_found(*place->kind, place->name);
  if (place->kind->has_status) copy_field(*before, object, "status");
  return replace(*place, std::move(object));
}

Stored ApiStore::update_status(kube::Resource resource, Json object) {
  const auto place = locate(resource, object);
  if (!place) return place.error();
  const Object before = find(resource, place->space, place->name);
  if (!before) return not_found(*place->kind, place->name);
  if (stale(object, *before)) return conflict(*place->kind, place->name);
  Json changed = *before;
  copy_field(object, changed, "status");
  return replace(*place, std::move(changed));
}

Stored ApiStore::set_status(kube::Resource resource, std::string_view space, std::string_view name,
                            Json status) {
  const Kind* kind = kind_of(resource);
  if (kind == nullptr) return no_such_path();
  const Object before = find(resource, space, name);
  if (!before) return not_found(*kind, name);
  Json changed = *before;
  changed["status"] = std::move(status);
  const auto place = locate(resource, changed);
  if (!place) return place.error();
  return replace(*place, std::move(changed));
}

Stored ApiStore::scale(std::string_view space, std::string_view deployment, std::int64_t replicas) {
  const Object before = find(kube::kDeployments, space, deployment);
  if (!before) return not_found(*kind_of(kube::kDeployments), deployment);
  Json changed = *before;
  changed["spec"]["replicas"] = replicas;
  return update(kube::kDeployments, std::move(changed));
}

/// Puts `object` in the place of the stored one, after the checks that every write has.
Stored ApiStore::replace(const Place& place, Json object) {
  const Object before = objects_[place.index].find(place.key)->second;
  if (stale(object, *before)) return conflict(*place.kind, place.name);
  if (!object["metadata"].is_object()) object["metadata"] = Json::object();
  Json& metadata = object["metadata"];
  const Json& old_metadata = (*before)["metadata"];
  for (const std::string_view field : kKept) copy_field(old_metadata, metadata, field);
  copy_field(old_metadata, metadata, "namespace");
  copy_field(old_metadata, metadata, "resourceVersion");
  metadata.erase("managedFields");
  object["kind"] = place.kind->kind;
  object["apiVersion"] = api_version_of(place.kind->resource);
  set_defaults(*place.kind, object);
  if (object == *before) return before;

  std::vector<std::string> problems = problems_of(*place.kind, object, before.get());
  if (!problems.empty()) return invalid(*place.kind, place.name, std::move(problems));
  if (differ(object, *before, "spec")) {
    metadata["generation"] = kube::integer(old_metadata, {"generation"}).value_or(0) + 1;
  }
  return put(place, std::move(object), before);
}

Stored ApiStore::put(const Place& place, Json object, const Object& before) {
  ++version_;
  object["kind"] = place.kind->kind;
  object["apiVersion"] = api_version_of(place.kind->resource);
  object["metadata"]["resourceVersion"] = std::to_string(version_);
  auto stored = std::make_shared<const Json>(std::move(object));
  objects_[place.index].insert_or_assign(place.key, stored);
  Change change;
  change.type = before ? Change::Type::modified : Change::Type::added;
  change.resource = place.kind->resource;
  change.version = version_;
  change.object = stored;
  change.before = before;
  tell(std::move(change));
  return stored;
}

Stored ApiStore::remove(kube::Resource resource, std::string_view space, std::string_view name,
                        const Removal& how) {
  const Kind* kind = kind_of(resource);
  if (kind == nullptr) return no_such_path();
  const Object before = find(resource, space, name);
  if (!before) return not_found(*kind, name);
  const bool other =
      (!how.uid.empty() && how.uid != kube::text(*before, {"metadata", "uid"})) ||
      (!how.resource_version.empty() && how.resource_version != kube::resource_version_of(*before));
  if (other) return conflict(*kind, name);
  const bool needed = kind->kind == "Namespace" && (name == "default" || has_objects(name));
  if (needed) return forbidden(*kind, name, "this namespace may not be deleted: it is in use");
  auto place = locate(resource, *before);
  if (!place) return place.error();
  Json last = *before;
  if (kind->kind == "Pod") {
    const auto own = kube::integer(*before, {"spec", "terminationGracePeriodSeconds"});
    const auto grace =
        std::max<std::int64_t>(how.grace_seconds.value_or(own.value_or(kDefaultGraceSeconds)), 0);
    if (grace > 0) {
      if (kube::find(*before, {"metadata", "deletionTimestamp"}) != nullptr) return before;
      last["metadata"]["deletionTimestamp"] = timestamp(grace);
      last["metadata"]["deletionGracePeriodSeconds"] = grace;
      return put(*place, std::move(last), before);
    }
  }
  return erase(*place, std::move(last), before);
}

bool ApiStore::has_objects(std::string_view space) const {
  for (const Kind& kind : kinds()) {
    if (kind.namespaced && !list(kind.resource, space).empty()) return true;
  }
  return false;
}

Stored ApiStore::remove_now(kube::Resource resource, std::string_view space,
                            std::string_view name) {
  Removal now;
  now.grace_seconds = 0;
  return remove(resource, space, name, now);
}

Object ApiStore::erase(const Place& place, Json last, const Object& before) {
  ++version_;
  last["metadata"]["resourceVersion"] = std::to_string(version_);
  auto final_state = std::make_shared<const Json>(std::move(last));
  objects_[place.index].erase(place.key);
  Change change;
  change.type = Change::Type::deleted;
  change.resource = place.kind->resource;
  change.version = version_;
  change.object = final_state;
  change.before = before;
  tell(std::move(change));
  return final_state;
}

}  // namespace pilotlight::local
