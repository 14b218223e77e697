#include "local/api/discovery.h"

#include <map>
#include <string>

#include "local/api/kinds.h"

namespace pilotlight::local {
namespace {

using kube::Json;

// The version whose API this is a part of; clients decide by it what they may ask for.
constexpr const char* kMajor = "1";
constexpr const char* kMinor = "31";

Json verbs() {
  return Json::array(
      {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"});
}

/// Each group has one version here.
Json group_of(const kube::Resource& resource) {
  Json version;
  version["groupVersion"] = api_version_of(resource);
  version["version"] = resource.version;
  Json group;
  group["name"] = resource.group;
  group["versions"] = Json::array({version});
  group["preferredVersion"] = version;
  return group;
}

Json group_list() {
  std::map<std::string_view, const kube::Resource*> groups;
  for (const Kind& kind : kinds()) {
    if (!kind.resource.group.empty()) groups[kind.resource.group] = &kind.resource;
  }
  Json list;
  list["kind"] = "APIGroupList";
  list["apiVersion"] = "v1";
  list["groups"] = Json::array();
  for (const auto& [name, resource] : groups) list["groups"].push_back(group_of(*resource));
  return list;
}

Json subresource(const Kind& kind, std::string_view name) {
  Json entry;
  entry["name"] = std::string(kind.resource.plural) + "/" + std::string(name);
  entry["singularName"] = "";
  entry["namespaced"] = kind.namespaced;
  entry["kind"] = kind.kind;
  entry["verbs"] = Json::array({"get", "patch", "update"});
  if (name == "scale") {
    entry["group"] = "autoscaling";
    entry["version"] = "v1";
    entry["kind"] = "Scale";
  }
  return entry;
}

std::optional<Json> resource_list(std::string_view group_version) {
  Json list;
  list["kind"] = "APIResourceList";
  list["apiVersion"] = "v1";
  list["groupVersion"] = group_version;
  list["resources"] = Json::array();
  for (const Kind& kind : kinds()) {
    if (api_version_of(kind.resource) != group_version) continue;
    Json entry;
    entry["name"] = kind.resource.plural;
    entry["singularName"] = kind.singular;
    entry["namespaced"] = kind.namespaced;
    entry["kind"] = kind.kind;
    entry["verbs"] = verbs();
    if (!kind.short_name.empty()) entry["shortNames"] = Json::array({kind.short_name});
    if (kind.kind != "Namespace") entry["categories"] = Json::array({"all"});
    list["resources"].push_back(std::move(entry));
    if (kind.has_status) list["resources"].push_back(subresource(kind, "status"));
    if (kind.has_scale) list["resources"].push_back(subresource(kind, "scale"));
  }
  if (list["resources"].empty()) return std::nullopt;
  return std::optional<Json>(std::in_place, std::move(list));
}

Json version_page(std::string_view version) {
  Json page;
  page["major"] = kMajor;
  page["minor"] = kMinor;
  page["gitVersion"] =
      std::string("v") + kMajor + "." + kMinor + ".0+pilotlight." + std::string(version);
  page["gitCommit"] = "";
  page["gitTreeState"] = "clean";
  // Typed clients want these to be there.
  page["buildDate"] = "1970-01-01T00:00:00Z";
  page["goVersion"] = "";
  page["compiler"] = "";
  page["platform"] = "linux/amd64";
  return page;
}

}  // namespace

std::optional<Json> discover(std::string_view path, std::string_view version) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/version") return std::optional<Json>(std::in_place, version_page(version));
  if (path == "/apis") return std::optional<Json>(std::in_place, group_list());
  if (path == "/api") {
    Json versions;
    versions["kind"] = "APIVersions";
    versions["versions"] = Json::array({"v1"});
    versions["serverAddressByClientCIDRs"] = Json::array();
    return std::optional<Json>(std::in_place, std::move(versions));
  }
  if (path == "/api/v1") return resource_list("v1");
  constexpr std::string_view kApis = "/apis/";
  if (!path.starts_with(kApis)) return std::nullopt;
  path.remove_prefix(kApis.size());
  if (path.find('/') != std::string_view::npos) return resource_list(path);
  for (const Kind& kind : kinds()) {
    if (kind.resource.group != path) continue;
    Json group = group_of(kind.resource);
    group["kind"] = "APIGroup";
    group["apiVersion"] = "v1";
    return std::optional<Json>(std::in_place, std::move(group));
  }
  return std::nullopt;
}

}  // namespace pilotlight::local
