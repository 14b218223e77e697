#include "common/kube/client.h"

#include <charconv>
#include <fstream>
#include <utility>

#include "common/base/log.h"
#include "common/control/url.h"

namespace pilotlight::kube {
namespace {

constexpr std::size_t kKeptConnections = 16;

/// Retry-After in seconds; its other form, a date, is not understood.
std::optional<std::chrono::seconds> retry_after_of(const control::Answer& answer) {
  const auto found = answer.headers.find("retry-after");
  if (found == answer.headers.end()) return std::nullopt;
  const std::string& text = found->second;
  std::uint32_t seconds = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::string trimmed(std::string text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  text.erase(end == std::string::npos ? 0 : end + 1);
  return text;
}

void add_param(std::string& target, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += name;
  target += '=';
  target += control::percent_encode(value);
}

std::string_view content_type(PatchKind kind) {
  switch (kind) {
    case PatchKind::merge: return "application/merge-patch+json";
    case PatchKind::strategic: return "application/strategic-merge-patch+json";
    case PatchKind::json: return "application/json-patch+json";
  }
  return "";
}

control::Ask make_ask(std::string method, std::string target) {
  control::Ask what;
  what.method = std::move(method);
  what.target = std::move(target);
  return what;
}

control::Ask make_ask(std::string method, std::string target, std::string_view type,
                      const Json& body) {
  control::Ask what = make_ask(std::move(method), std::move(target));
  what.headers["Content-Type"] = std::string(type);
  what.body = to_text(body);
  return what;
}

}  // namespace

boost::system::result<Access, std::string> parse_access(std::string_view url,
                                                        std::string token_file) {
  const std::string expected =
      "got \"" + std::string(url) + "\", expected http://ip:port, like http://127.0.0.1:6480";
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return expected;
  url.remove_prefix(kScheme.size());
  const auto slash = std::min(url.find('/'), url.size());
  const std::string_view authority = url.substr(0, slash);
  std::string_view prefix = url.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos) return expected;

  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = authority.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  ErrorCode ec;
  const auto address = asio::ip::make_address(std::string(host), ec);
  if (ec || bad != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return expected;
  }
  Access access;
  access.endpoint = asio::ip::tcp::endpoint(address, port);
  access.prefix = std::string(prefix);
  access.token_file = std::move(token_file);
  return access;
}

ErrorCode error_of_status(unsigned status) noexcept {
  if (status >= 200 && status < 300) return {};
  switch (status) {
    case 401:
    case 403: return make_error_code(FlowError::unauthorized);
    case 404: return make_error_code(FlowError::not_found);
    case 409: return make_error_code(FlowError::conflict);
    case 410: return make_error_code(FlowError::gone);
    default: return make_error_code(FlowError::unexpected_status);
  }
}

Client::Client(Executor executor, Clock& clock, Access access)
    : executor_(executor),
      clock_(clock),
      access_(std::move(access)),
      kept_(executor, clock, access_.endpoint, kKeptConnections) {}

void Client::read_token() {
  token_read_ = true;
  token_.clear();
  if (access_.token_file.empty()) return;
  std::ifstream file(access_.token_file);
  std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) log_warn("token file cannot be read", {{"path", access_.token_file}});
  token_ = trimmed(std::move(whole));
}

void Client::prepare(control::Ask& what) {
  if (!token_read_) read_token();
  what.headers["Accept"] = "application/json";
  if (!token_.empty()) what.headers["Authorization"] = "Bearer " + token_;
}

Task<Result<Json>> Client::call(control::Ask what, TimePoint deadline) {
  what.target.insert(0, access_.prefix);
  for (int attempt = 0;; ++attempt) {
    prepare(what);
    auto answer = co_await control::ask(executor_, clock_, access_.endpoint, what, deadline);
    if (!answer) co_return answer.error();
    if (answer->status == 401 && attempt == 0 && !access_.token_file.empty()) {
      read_token();  // it may have been renewed since it was read
      continue;
    }
    const ErrorCode ec = error_of_status(answer->status);
    if (ec) {
      log_debug("kubernetes API refused", {{"method", what.method},
                                           {"target", what.target},
                                           {"status", answer->status},
                                           {"answer", answer->body.substr(0, 512)}});
      co_return ec;
    }
    std::optional<Json> parsed = parse_json(answer->body);
    if (!parsed) co_return make_error_code(FlowError::bad_message);
    co_return Result<Json>(boost::system::in_place_value, std::move(*parsed));
  }
}

Task<Result<Json>> Client::get(Resource resource, std::string space, std::string name,
                               TimePoint deadline) {
  co_return co_await call(make_ask("GET", path_of(resource, space, name)), deadline);
}

Task<Result<Json>> Client::list(Resource resource, std::string space, Selector selector,
                                TimePoint deadline) {
  std::string target = path_of(resource, space);
  add_param(target, "labelSelector", selector.labels);
  add_param(target, "fieldSelector", selector.fields);
  co_return co_await call(make_ask("GET", std::move(target)), deadline);
}

Task<Result<Json>> Client::create(Resource resource, std::string space, Json object,
                                  TimePoint deadline) {
  co_return co_await call(make_ask("POST", path_of(resource, space), "application/json", object),
                          deadline);
}

Task<Result<Json>> Client::update(Resource resource, std::string space, Json object,
                                  TimePoint deadline) {
  const std::string target = path_of(resource, space, name_of(object));
  co_return co_await call(make_ask("PUT", target, "application/json", object), deadline);
}

Task<Result<Json>> Client::patch(Resource resource, std::string space, std::string name,
                                 PatchKind kind, Json patch, TimePoint deadline) {
  const std::string target = path_of(resource, space, name);
  co_return co_await call(make_ask("PATCH", target, content_type(kind), patch), deadline);
}

Task<Result<Json>> Client::remove(Resource resource, std::string space, std::string name,
                                  TimePoint deadline) {
  co_return co_await call(make_ask("DELETE", path_of(resource, space, name)), deadline);
}

Task<Result<Json>> Client::get_scale(std::string space, std::string deployment,
                                     TimePoint deadline) {
  const std::string target = path_of(kDeployments, space, deployment, "scale");
  co_return co_await call(make_ask("GET", target), deadline);
}

Task<Result<Json>> Client::patch_scale(std::string space, std::string deployment,
                                       std::int32_t replicas, TimePoint deadline) {
  ScaleAnswer answer =
      co_await send_scale(std::move(space), std::move(deployment), replicas, deadline);
  if (answer.error) co_return answer.error;
  co_return Result<Json>(boost::system::in_place_value, std::move(answer.scale));
}

Task<ScaleAnswer> Client::send_scale(std::string space, std::string deployment,
                                     std::int32_t replicas, TimePoint deadline) {
  const std::string target = access_.prefix + path_of(kDeployments, space, deployment, "scale");
  Json body;
  body["spec"]["replicas"] = replicas;
  control::Ask what = make_ask("PATCH", target, content_type(PatchKind::merge), body);
  ScaleAnswer out;
  for (int attempt = 0;; ++attempt) {
    prepare(what);
    Result<control::Answer> answer = co_await kept_.ask(what, deadline);
    if (!answer) {
      out.error = answer.error();
      co_return out;
    }
    if (answer->status == 401 && attempt == 0 && !access_.token_file.empty()) {
      read_token();  // it may have been renewed since it was read
      continue;
    }
    out.status = answer->status;
    out.error = error_of_status(answer->status);
    out.retry_after = retry_after_of(*answer);
    if (std::optional<Json> parsed = parse_json(answer->body)) out.scale = std::move(*parsed);
    co_return out;
  }
}

Task<Result<>> Client::open_watch(control::LineStream& stream, Resource resource, std::string space,
                                  Selector selector, std::string resource_version, int seconds,
                                  TimePoint deadline) {
  std::string target = access_.prefix + path_of(resource, space);
  add_param(target, "watch", "true");
  add_param(target, "allowWatchBookmarks", "true");
  add_param(target, "resourceVersion", resource_version);
  add_param(target, "timeoutSeconds", std::to_string(seconds));
  add_param(target, "labelSelector", selector.labels);
  add_param(target, "fieldSelector", selector.fields);
  control::Ask what = make_ask("GET", std::move(target));
  prepare(what);
  const auto status = co_await stream.open(access_.endpoint, std::move(what), deadline);
  if (!status) co_return status.error();
  if (*status == 401) token_read_ = false;  // the next attempt reads the file again
  const ErrorCode ec = error_of_status(*status);
  if (ec) co_return ec;
  co_return Result<>();
}

}  // namespace pilotlight::kube
