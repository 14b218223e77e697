#include "local/api/requests.h"

#include <charconv>
#include <limits>
#include <utility>

#include "local/api/patch.h"
#include "local/api/selector.h"

namespace pilotlight::local {
namespace {

using control::Request;
using Decoded = boost::system::result<Json, Refusal>;

constexpr Kind kScale{.resource = {"autoscaling", "v1", "scales"}, .kind = "Scale"};

Outcome answered(const Stored& stored, unsigned code) {
  if (!stored) return refused(stored.error());
  Outcome outcome;
  outcome.code = code;
  outcome.body = **stored;
  return outcome;
}

/// The object in the body, checked against what the path says of it.
Decoded decode(const Target& target, const Request& request) {
  const std::string_view type = request.header("content-type");
  if (!type.empty() && !type.starts_with("application/json") && !type.starts_with("*/*")) {
    return unsupported_media_type(
        "the body of the request was in an unknown format - accepted "
        "media types include: application/json");
  }
  std::optional<Json> object = kube::parse_json(request.body);
  if (!object || !object->is_object()) return bad_request("the body is not a JSON object");
  const bool scale = target.subresource == "scale";
  const std::string_view expected = scale ? kScale.kind : target.kind->kind;
  const std::string_view kind = kube::text(*object, {"kind"});
  if (!kind.empty() && kind != expected) {
    return bad_request("got an object of kind \"" + std::string(kind) + "\", expected \"" +
                       std::string(expected) + "\"");
  }
  Json& metadata = (*object)["metadata"];
  if (metadata.is_null()) metadata = Json::object();
  if (!metadata.is_object()) return bad_request("metadata: expected an object");
  const std::string_view space = kube::namespace_of(*object);
  if (target.kind->namespaced) {
    if (!space.empty() && space != target.space) {
      return bad_request(
          "the namespace of the provided object does not match the namespace sent "
          "on the request");
    }
    metadata["namespace"] = target.space;
  }
  if (!target.name.empty()) {
    const std::string_view name = kube::name_of(*object);
    if (!name.empty() && name != target.name) {
      return bad_request("the name of the object (" + std::string(name) +
                         ") does not match the name on the URL (" + target.name + ")");
    }
    metadata["name"] = target.name;
  }
  return Decoded(boost::system::in_place_value, std::move(*object));
}

Outcome get_list(const ApiStore& store, const Target& target, const Request& request) {
  const auto selector =
      Selector::parse(request.param("labelSelector"), request.param("fieldSelector"));
  if (!selector) return refused(bad_request(selector.error()));
  if (!request.param("continue").empty()) {
    return refused(
        expired("The provided continue parameter is too old to display a consistent "
                "list result: lists are never cut here, ask without it"));
  }
  const std::string version = std::to_string(store.version());
  if (request.param("resourceVersionMatch") == "Exact" &&
      request.param("resourceVersion") != version) {
    return refused(expired("The resourceVersion for the provided list is too old."));
  }
  Outcome outcome;
  outcome.body["kind"] = std::string(target.kind->kind) + "List";
  outcome.body["apiVersion"] = api_version_of(target.kind->resource);
  outcome.body["metadata"]["resourceVersion"] = version;
  Json items = Json::array();
  for (const Object& object : store.list(target.kind->resource, target.space)) {
    if (selector->matches(*object)) items.push_back(*object);
  }
  outcome.body["items"] = std::move(items);
  return outcome;
}

Outcome put(ApiStore& store, const Target& target, Json object) {
  const kube::Resource& resource = target.kind->resource;
  if (target.subresource == "status") {
    return answered(store.update_status(resource, std::move(object)), 200);
  }
  if (target.subresource.empty()) return answered(store.update(resource, std::move(object)), 200);

  const Object deployment = store.find(resource, target.space, target.name);
  if (!deployment) return refused(not_found(*target.kind, target.name));
  // Clients written in Go leave out a number that is 0.
  const Json* wanted = kube::find(object, {"spec", "replicas"});
  const Json zero = 0;
  if (wanted == nullptr || wanted->is_null()) wanted = &zero;
  if (!wanted->is_number_integer()) {
    return refused(
        bad_request("spec.replicas: got " + kube::to_text(*wanted) + ", expected an integer"));
  }
  const auto replicas = kube::integer(object, {"spec", "replicas"}).value_or(0);
  if (replicas < 0 || replicas > std::numeric_limits<std::int32_t>::max()) {
    std::vector<std::string> causes = {"spec.replicas: Invalid value: " + kube::to_text(*wanted) +
                                       ": must be greater than or equal to 0"};
    return refused(invalid(kScale, target.name, std::move(causes)));
  }
  Json changed = *deployment;
  changed["spec"]["replicas"] = replicas;
  const std::string_view version = kube::resource_version_of(object);
  if (!version.empty()) changed["metadata"]["resourceVersion"] = version;
  const Stored stored = store.update(resource, std::move(changed));
  if (!stored) return refused(stored.error());
  Outcome outcome;
  outcome.body = scale_of(**stored);
  return outcome;
}

Outcome patch(ApiStore& store, const Target& target, const Request& request) {
  const Object stored = store.find(target.kind->resource, target.space, target.name);
  if (!stored) return refused(not_found(*target.kind, target.name));
  const Json before = target.subresource == "scale" ? scale_of(*stored) : *stored;
  Patched changed = apply_patch(before, request.header("content-type"), request.body);
  if (!changed) return refused(changed.error());
  const bool same = changed->is_object() && kube::name_of(*changed) == kube::name_of(before) &&
                    kube::namespace_of(*changed) == kube::namespace_of(before);
  if (!same) {
    return refused(bad_request("a patch cannot change an object's name or namespace"));
  }
  return put(store, target, std::move(*changed));
}

Json success(const Target& target, const Json& object) {
  Json status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["metadata"] = Json::object();
  status["status"] = "Success";
  status["details"]["name"] = kube::name_of(object);
  status["details"]["kind"] = target.kind->resource.plural;
  if (!target.kind->resource.group.empty()) {
    status["details"]["group"] = target.kind->resource.group;
  }
  status["details"]["uid"] = kube::text(object, {"metadata", "uid"});
  return status;
}

boost::system::result<ApiStore::Removal, Refusal> removal_of(const Request& request) {
  ApiStore::Removal how;
  if (!request.body.empty()) {
    const std::optional<Json> options = kube::parse_json(request.body);
    if (!options) return bad_request("the body is not JSON");
    how.grace_seconds = kube::integer(*options, {"gracePeriodSeconds"});
    how.uid = std::string(kube::text(*options, {"preconditions", "uid"}));
    how.resource_version = std::string(kube::text(*options, {"preconditions", "resourceVersion"}));
    if (!kube::array(*options, {"dryRun"}).empty()) {
      return bad_request("dry run is not supported here");
    }
  }
  const std::string_view grace = request.param("gracePeriodSeconds");
  if (!grace.empty()) {
    std::int64_t seconds = 0;
    const auto [end, ec] = std::from_chars(grace.data(), grace.data() + grace.size(), seconds);
    if (ec != std::errc() || end != grace.data() + grace.size()) {
      return bad_request("gracePeriodSeconds: got \"" + std::string(grace) +
                         "\", expected an integer");
    }
    how.grace_seconds = seconds;
  }
  return how;
}

Outcome remove(ApiStore& store, const Target& target, const Request& request) {
  const auto how = removal_of(request);
  if (!how) return refused(how.error());
  const kube::Resource& resource = target.kind->resource;
  if (target.name.empty()) {
    Outcome listed = get_list(store, target, request);
    if (listed.code != 200) return listed;
    for (const Json& object : listed.body["items"]) {
      const Stored gone =
          store.remove(resource, kube::namespace_of(object), kube::name_of(object), *how);
      static_cast<void>(gone);  // whatever went meanwhile is gone as asked
    }
    return listed;
  }
  const Stored last = store.remove(resource, target.space, target.name, *how);
  if (!last) return refused(last.error());
  Outcome outcome;
  // As in Kubernetes, where clients rely on it.
  const bool tells_object = resource == kube::kPods || resource == kube::kServices;
  outcome.body = tells_object ? **last : success(target, **last);
  return outcome;
}

Outcome get(const ApiStore& store, const Target& target) {
  const Object object = store.find(target.kind->resource, target.space, target.name);
  if (!object) return refused(not_found(*target.kind, target.name));
  Outcome outcome;
  outcome.body = target.subresource == "scale" ? scale_of(*object) : *object;
  return outcome;
}

}  // namespace

Outcome refused(const Refusal& refusal) {
  Outcome outcome;
  outcome.code = refusal.code;
  outcome.body = refusal.to_json();
  return outcome;
}

Json scale_of(const Json& deployment) {
  Json scale;
  scale["kind"] = "Scale";
  scale["apiVersion"] = "autoscaling/v1";
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    scale["metadata"][field] = kube::text(deployment, {"metadata", field});
  }
  scale["spec"]["replicas"] = kube::integer(deployment, {"spec", "replicas"}).value_or(0);
  scale["status"]["replicas"] = kube::integer(deployment, {"status", "replicas"}).value_or(0);
  std::string selector;
  if (const Json* labels = kube::find(deployment, {"spec", "selector", "matchLabels"})) {
    for (const auto& [key, value] : labels->items()) {
      if (!value.is_string()) continue;
      if (!selector.empty()) selector += ",";
      selector += key + "=" + value.get_ref<const std::string&>();
    }
  }
  scale["status"]["selector"] = std::move(selector);
  return scale;
}

Outcome answer(ApiStore& store, const Target& target, const Request& request) {
  const std::string& method = request.method;
  const bool collection = target.name.empty();
  if (method == "GET" || method == "HEAD") {
    return collection ? get_list(store, target, request) : get(store, target);
  }
  if (request.query.contains("dryRun"))
    return refused(bad_request("dry run is not supported here"));
  if (method == "DELETE" && target.subresource.empty()) return remove(store, target, request);
  if (method == "PATCH" && !collection) return patch(store, target, request);
  const bool nowhere = target.kind->namespaced && target.space.empty();
  const bool post = method == "POST" && collection && !nowhere;
  if (!post && (method != "PUT" || collection)) return refused(method_not_allowed());
  Decoded object = decode(target, request);
  if (!object) return refused(object.error());
  if (method == "PUT") return put(store, target, std::move(*object));
  // Whoever wants a status writes it through the subresource.
  if (target.kind->has_status) object->erase("status");
  return answered(store.create(target.kind->resource, std::move(*object)), 201);
}

}  // namespace pilotlight::local
