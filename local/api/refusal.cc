#include "local/api/refusal.h"

#include <utility>

namespace pilotlight::local {
namespace {

/// `deployments.apps "x"`, as Kubernetes names an object in its texts.
std::string quoted(std::string_view kind, std::string_view group, std::string_view name) {
  std::string text(kind);
  if (!group.empty()) text.append(".").append(group);
  return text.append(" \"").append(name).append("\"");
}

Refusal about(const Kind& kind, std::string_view name, unsigned code, std::string reason) {
  Refusal refusal;
  refusal.code = code;
  refusal.reason = std::move(reason);
  refusal.name = std::string(name);
  refusal.group = std::string(kind.resource.group);
  refusal.kind = std::string(kind.resource.plural);
  return refusal;
}

Refusal plain(unsigned code, std::string reason, std::string message) {
  Refusal refusal;
  refusal.code = code;
  refusal.reason = std::move(reason);
  refusal.message = std::move(message);
  return refusal;
}

}  // namespace

kube::Json Refusal::to_json() const {
  kube::Json status;
  status["kind"] = "Status";
  status["apiVersion"] = "v1";
  status["metadata"] = kube::Json::object();
  status["status"] = "Failure";
  status["message"] = message;
  status["reason"] = reason;
  status["code"] = code;
  kube::Json details = kube::Json::object();
  if (!name.empty()) details["name"] = name;
  if (!group.empty()) details["group"] = group;
  if (!kind.empty()) details["kind"] = kind;
  for (const std::string& cause : causes) {
    kube::Json entry;
    const auto colon = cause.find(": ");
    entry["field"] = cause.substr(0, colon);
    entry["message"] = colon == std::string::npos ? cause : cause.substr(colon + 2);
    entry["reason"] = "FieldValueInvalid";
    details["causes"].push_back(std::move(entry));
  }
  if (!details.empty()) status["details"] = std::move(details);
  return status;
}

Refusal not_found(const Kind& kind, std::string_view name) {
  Refusal refusal = about(kind, name, 404, "NotFound");
  refusal.message = quoted(refusal.kind, refusal.group, name) + " not found";
  return refusal;
}

Refusal already_exists(const Kind& kind, std::string_view name) {
  Refusal refusal = about(kind, name, 409, "AlreadyExists");
  refusal.message = quoted(refusal.kind, refusal.group, name) + " already exists";
  return refusal;
}

Refusal conflict(const Kind& kind, std::string_view name) {
  Refusal refusal = about(kind, name, 409, "Conflict");
  refusal.message = "Operation cannot be fulfilled on " +
                    quoted(refusal.kind, refusal.group, name) +
                    ": the object has been modified; please apply your changes to the latest "
                    "version and try again";
  return refusal;
}

Refusal invalid(const Kind& kind, std::string_view name, std::vector<std::string> causes) {
  Refusal refusal = about(kind, name, 422, "Invalid");
  refusal.kind = std::string(kind.kind);
  refusal.message = quoted(refusal.kind, refusal.group, name) + " is invalid: ";
  if (causes.size() == 1) {
    refusal.message += causes.front();
  } else {
    refusal.message += "[";
    for (const std::string& cause : causes) {
      if (&cause != &causes.front()) refusal.message += ", ";
      refusal.message += cause;
    }
    refusal.message += "]";
  }
  refusal.causes = std::move(causes);
  return refusal;
}

Refusal forbidden(const Kind& kind, std::string_view name, std::string_view why) {
  Refusal refusal = about(kind, name, 403, "Forbidden");
  refusal.message = quoted(refusal.kind, refusal.group, name).append(" is forbidden: ").append(why);
  return refusal;
}

Refusal bad_request(std::string message) { return plain(400, "BadRequest", std::move(message)); }

Refusal unauthorized() { return plain(401, "Unauthorized", "Unauthorized"); }

Refusal no_such_path() {
  return plain(404, "NotFound", "the server could not find the requested resource");
}

Refusal method_not_allowed() {
  return plain(405, "MethodNotAllowed",
               "the server does not allow this method on the requested resource");
}

Refusal unsupported_media_type(std::string message) {
  return plain(415, "UnsupportedMediaType", std::move(message));
}

Refusal expired(std::string message) { return plain(410, "Expired", std::move(message)); }

}  // namespace pilotlight::local
