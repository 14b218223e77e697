#include "common/kube/client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/file_text.h"
#include "common/base/log.h"
#include "common/control/url.h"
#include "common/net/tls_session.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTokenAge = 60s;  // kubelet renews a token long before it ends
constexpr std::string_view kFieldManager = "pilotlight";

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
    case PatchKind::apply: return "application/apply-patch+yaml";  // JSON is YAML
  }
  return "";
}

control::Ask make_ask(std::string method, std::string target) {
  control::Ask what;
  what.method = std::move(method);
  what.target = std::move(target);
  return what;
}

void add_body(control::Ask& what, std::string_view type, const Json& body) {
  what.headers["Content-Type"] = std::string(type);
  what.body = to_text(body);
}

control::Ask make_ask(std::string method, std::string target, std::string_view type,
                      const Json& body) {
  control::Ask what = make_ask(std::move(method), std::move(target));
  add_body(what, type, body);
  return what;
}

std::string_view header_of(const control::Answer& answer, const std::string& name) {
  const auto found = answer.headers.find(name);
  return found == answer.headers.end() ? std::string_view() : found->second;
}

}  // namespace

ErrorCode error_of_status(unsigned status) noexcept {
  if (status >= 200 && status < 300) return {};
  switch (status) {
    case 401:
    case 403: return make_error_code(FlowError::unauthorized);
    case 404: return make_error_code(FlowError::not_found);
    case 409: return make_error_code(FlowError::conflict);
    case 410: return make_error_code(FlowError::gone);
    case 429: return make_error_code(kThrottled);
    default: return make_error_code(FlowError::unexpected_status);
  }
}

std::optional<std::chrono::seconds> retry_after(unsigned status, std::string_view header) {
  if (status != 429 && status < 500) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, ec] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  const bool read = ec == std::errc() && end == header.data() + header.size() && seconds >= 0;
  if (!read && status != 429) return std::nullopt;
  if (!read) return 1s;
  return std::chrono::seconds(std::min<std::int64_t>(seconds, 3600));
}

Client::Client(Executor executor, Clock& clock, Access access, std::size_t connections)
    : executor_(executor),
      clock_(clock),
      access_(std::move(access)),
      pool_(executor, clock, access_.peer(), connections),
      roots_(file_text(access_.ca_file).value_or("")) {}

void Client::read_token() {
  token_read_ = clock_.now();
  if (access_.token_file.empty()) {
    token_ = access_.token;
    return;
  }
  std::optional<std::string> text = file_text(access_.token_file);
  if (!text) {  // the old one may still do
    log_warn("token file cannot be read", {{"path", access_.token_file}});
    return;
  }
  token_ = trimmed(std::move(*text));
}

void Client::prepare(control::Ask& what) {
  if (!token_read_ || clock_.now() - *token_read_ >= kTokenAge) read_token();
  what.headers["Accept"] = "application/json";
  if (!token_.empty()) what.headers["Authorization"] = "Bearer " + token_;
}

/// The server's certificate was not accepted: perhaps the cluster has a new CA.
bool Client::may_trust_anew(const ErrorCode& ec) {
  if (ec.category() != tls_category() || !renew_trust(access_, roots_)) return false;
  log_info("the cluster's CA has changed", {{"path", access_.ca_file}});
  pool_.set_peer(access_.peer());
  return true;
}

Task<Result<control::Answer>> Client::send(control::Ask what, TimePoint deadline) {
  what.target.insert(0, access_.prefix);
  co_return co_await exchange(what, deadline);
}

Task<Result<control::Answer>> Client::exchange(control::Ask& what, TimePoint deadline) {
  for (bool first = true;; first = false) {
    prepare(what);
    auto answer = co_await pool_.ask(what, deadline);
    const bool renewed = !answer && first && may_trust_anew(answer.error());
    const bool stale = answer && answer->status == 401 && !access_.token_file.empty();
    if (!renewed && !(stale && first)) co_return answer;
    if (stale) read_token();  // it may have been renewed since it was read
  }
}

void Client::keep_refusal(const ErrorCode& why, std::string_view body) {
  constexpr std::size_t kMost = 500;
  const std::optional<Json> status = parse_json(body);
  refused_as_ = why;
  refusal_ = status ? text(*status, {"message"}).substr(0, kMost) : "";
}

Task<Result<Json>> Client::call(control::Ask what, TimePoint deadline) {
  refusal_.clear();
  what.target.insert(0, access_.prefix);
  for (;;) {
    const auto answer = co_await exchange(what, deadline);
    if (!answer) co_return answer.error();
    const ErrorCode ec = error_of_status(answer->status);
    if (!ec) {
      std::optional<Json> parsed = parse_json(answer->body);
      if (!parsed) co_return make_error_code(FlowError::bad_message);
      co_return Result<Json>(boost::system::in_place_value, std::move(*parsed));
    }
    log_debug("kubernetes API refused", {{"method", what.method},
                                         {"target", what.target},
                                         {"status", answer->status},
                                         {"answer", answer->body.substr(0, 512)}});
    keep_refusal(ec, answer->body);
    const auto later = retry_after(answer->status, header_of(*answer, "retry-after"));
    if (!later) co_return ec;
    const TimePoint again = clock_.now() + *later;
    if (again >= deadline) co_return ec;
    const std::unique_ptr<Timer> pause = clock_.make_timer();
    const bool came = co_await pause->wait_until(again);
    if (!came) co_return ErrorCode(asio::error::operation_aborted);
  }
}

Task<Result<Json>> Client::get(Resource resource, std::string space, std::string name,
                               TimePoint deadline) {
  co_return co_await call(make_ask("GET", path_of(resource, space, name)), deadline);
}

Task<Result<Json>> Client::list(Resource resource, std::string space, Selector selector,
                                TimePoint deadline) {
  Page whole;
  co_return co_await list(resource, std::move(space), std::move(selector), std::move(whole),
                          deadline);
}

Task<Result<Json>> Client::list(Resource resource, std::string space, Selector selector, Page page,
                                TimePoint deadline) {
  std::string target = path_of(resource, space);
  add_param(target, "labelSelector", selector.labels);
  add_param(target, "fieldSelector", selector.fields);
  if (page.limit > 0) add_param(target, "limit", std::to_string(page.limit));
  add_param(target, "continue", page.after);
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
  co_return co_await patch_part(resource, std::move(space), std::move(name), "", kind,
                                std::move(patch), deadline);
}

Task<Result<Json>> Client::patch_part(Resource resource, std::string space, std::string name,
                                      std::string_view part, PatchKind kind, Json patch,
                                      TimePoint deadline) {
  std::string target = path_of(resource, space, name, part);
  if (kind == PatchKind::apply) {
    add_param(target, "fieldManager", kFieldManager);
    add_param(target, "force", "true");
  }
  co_return co_await call(make_ask("PATCH", target, content_type(kind), patch), deadline);
}

Task<Result<Json>> Client::remove(Resource resource, std::string space, std::string name,
                                  Json options, TimePoint deadline) {
  control::Ask what = make_ask("DELETE", path_of(resource, space, name));
  if (!options.is_null()) add_body(what, "application/json", options);
  co_return co_await call(std::move(what), deadline);
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
  const std::string target = path_of(kDeployments, space, deployment, "scale");
  Json body;
  body["spec"]["replicas"] = replicas;
  const std::string_view type = content_type(PatchKind::merge);
  const auto answer = co_await send(make_ask("PATCH", target, type, body), deadline);
  ScaleAnswer out;
  if (!answer) {
    out.error = answer.error();
    co_return out;
  }
  out.status = answer->status;
  out.error = error_of_status(answer->status);
  const std::string_view header = header_of(*answer, "retry-after");
  if (!header.empty()) out.retry_after = retry_after(answer->status, header);
  if (std::optional<Json> parsed = parse_json(answer->body)) out.scale = std::move(*parsed);
  co_return out;
}

Task<Result<>> Client::open_watch(control::LineStream& stream, Resource resource, std::string space,
                                  Selector selector, std::string resource_version, int seconds,
                                  TimePoint deadline) {
  std::string target = path_of(resource, space);
  add_param(target, "watch", "true");
  add_param(target, "allowWatchBookmarks", "true");
  add_param(target, "resourceVersion", resource_version);
  add_param(target, "timeoutSeconds", std::to_string(seconds));
  add_param(target, "labelSelector", selector.labels);
  add_param(target, "fieldSelector", selector.fields);
  const auto status = co_await ask_stream(stream, std::move(target), deadline);
  if (!status) co_return status.error();
  const ErrorCode ec = error_of_status(*status);
  refusal_.clear();  // another's, who asked meanwhile
  if (ec) co_return ec;
  co_return Result<>();
}

Task<Result<>> Client::open_log(control::LineStream& stream, std::string space, std::string pod,
                                LogQuery query, TimePoint deadline) {
  std::string target = path_of(kPods, space, pod, "log");
  add_param(target, "container", query.container);
  if (query.follow) add_param(target, "follow", "true");
  if (query.previous) add_param(target, "previous", "true");
  if (query.since_seconds) add_param(target, "sinceSeconds", std::to_string(*query.since_seconds));
  add_param(target, "sinceTime", query.since);
  if (query.timestamps) add_param(target, "timestamps", "true");
  const auto status = co_await ask_stream(stream, std::move(target), deadline);
  if (!status) co_return status.error();
  const ErrorCode ec = error_of_status(*status);
  if (!ec) co_return Result<>();
  const auto said = co_await stream.read_line(deadline);  // a Status is one line
  if (said && *said) keep_refusal(ec, **said);
  co_return ec;
}

Task<Result<unsigned>> Client::ask_stream(control::LineStream& stream, std::string target,
                                          TimePoint deadline) {
  refusal_.clear();
  control::Ask what = make_ask("GET", access_.prefix + target);
  prepare(what);
  const auto status = co_await stream.open(access_.peer(), std::move(what), deadline);
  if (!status) static_cast<void>(may_trust_anew(status.error()));  // for the next attempt
  if (status && *status == 401) token_read_.reset();  // the next attempt reads the file again
  co_return status;
}

}  // namespace pilotlight::kube
