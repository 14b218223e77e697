#include "common/kube/watcher.h"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstPause = 20ms;
constexpr auto kLongestPause = 5s;
constexpr auto kListTimeout = 30s;
constexpr std::int64_t kPageSize = 250;
constexpr int kWatchSeconds = 300;
constexpr auto kWatchGrace = 30s;  // beyond kWatchSeconds the server is not there any longer
constexpr auto kWentWell = 1s;     // a watch that lasted as long ended for a good reason

std::string key_of(const Json& object) {
  return std::string(namespace_of(object)) + "/" + std::string(name_of(object));
}

/// Who has set which field: large, and of no use to any reader here. A write without it keeps it.
void trim(Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata != object.end() && metadata->is_object()) metadata->erase("managedFields");
}

/// What is kept of an object: its metadata, without kubectl's copy of the whole.
Json kept_of(const Json& object) {
  Json kept;
  kept["metadata"] = object["metadata"];
  const auto annotations = kept["metadata"].find("annotations");
  if (annotations != kept["metadata"].end() && annotations->is_object()) {
    annotations->erase("kubectl.kubernetes.io/last-applied-configuration");
  }
  return kept;
}

/// The objects of a list, to be moved from.
Json::array_t items_of(Json& list) {
  const auto items = list.is_object() ? list.find("items") : list.end();
  if (items == list.end() || !items->is_array()) return Json::array_t();
  return std::move(items->get_ref<Json::array_t&>());
}

}  // namespace

Watcher::What Watcher::What::all(const Resource& resource, std::string_view labels) {
  What what;
  what.resource = resource;
  what.selector.labels = labels;
  return what;
}

Watcher::Watcher(Client& client, Clock& clock, What what, Listener& listener,
                 std::mt19937_64& random)
    : client_(client),
      clock_(clock),
      what_(std::move(what)),
      listener_(listener),
      random_(random),
      back_off_(kFirstPause, kLongestPause),
      pause_(clock.make_timer()) {}

Task<> Watcher::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    Result<> went = Result<>();
    if (resource_version_.empty()) went = co_await list();
    if (went && !closed_) went = co_await watch();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (closed_ || state.cancelled() != asio::cancellation_type::none) co_return;
    if (!went && went.error() == make_error_code(FlowError::gone)) {
      log_info("watch too old, listing anew", {{"resource", what_.resource.plural}});
      resource_version_.clear();
    } else if (!went) {
      log_debug("watch interrupted",
                {{"resource", what_.resource.plural}, {"reason", went.error().message()}});
      listener_.failed(went.error());
      if (closed_) co_return;
    }
    co_await pause(pause_after(went));
  }
}

/// Never shorter than what the server asked for: that many seconds, and then jitter as ever.
Duration Watcher::pause_after(const Result<>& went) {
  const Duration own = back_off_.next(random_);
  const Duration asked = std::exchange(asked_pause_, std::nullopt).value_or(Duration::zero());
  return went ? own : asked + own;
}

Task<> Watcher::pause(Duration length) { co_await pause_->wait_until(clock_.now() + length); }

void Watcher::close() noexcept {
  closed_ = true;
  pause_->cancel();
  if (stream_ != nullptr) stream_->close();
}

Task<Result<>> Watcher::list() {
  Page page;
  page.limit = kPageSize;
  std::set<Key> present;
  std::string version;
  do {
    auto got = co_await client_.list(what_.resource, what_.space, what_.selector, page,
                                     clock_.now() + kListTimeout);
    if (!got && got.error() == make_error_code(FlowError::gone) && !page.after.empty()) {
      // The list took longer than the server keeps its history: all of it at once then.
      page = Page();
      present.clear();
      version.clear();
      continue;
    }
    if (!got) co_return got.error();
    version = std::string(resource_version_of(*got));
    if (version.empty()) co_return make_error_code(FlowError::bad_message);
    page.after = std::string(text(*got, {"metadata", "continue"}));
    for (Json& item : items_of(*got)) {
      if (name_of(item).empty()) continue;
      Key key = key_of(item);
      present.insert(key);
      apply(std::move(key), std::move(item));
    }
  } while (version.empty() || !page.after.empty());
  resource_version_ = std::move(version);
  forget_absent(present);
  synced_ = true;
  listener_.synced();
  co_return Result<>();
}

Task<Result<>> Watcher::watch() {
  control::LineStream stream(client_.executor(), clock_);
  stream_ = &stream;
  const TimePoint end = clock_.now() + std::chrono::seconds(kWatchSeconds) + kWatchGrace;
  Result<> went =
      co_await client_.open_watch(stream, what_.resource, what_.space, what_.selector,
                                  resource_version_, kWatchSeconds, clock_.now() + kListTimeout);
  const bool opened = went.has_value();
  const TimePoint begun = clock_.now();
  while (went) {
    const auto line = co_await stream.read_line(end);
    if (!line) {
      went = line.error();
    } else if (!line->has_value()) {
      break;
    } else if (!(*line)->empty()) {
      went = take_line(**line);
    }
  }
  stream_ = nullptr;
  if (opened && clock_.now() - begun >= kWentWell) back_off_.reset();
  if (!went && went.error() == kThrottled) {
    asked_pause_ = retry_after(429, stream.header("retry-after"));
  }
  co_return went;
}

Result<> Watcher::take_line(const std::string& line) {
  std::optional<Json> event = parse_json(line);
  const bool whole = event && find(*event, {"object"}) != nullptr;
  if (!whole) return make_error_code(FlowError::bad_message);
  Json object = std::move((*event)["object"]);
  const std::string_view type = text(*event, {"type"});
  if (type == "ERROR") {
    const auto code = integer(object, {"code"}).value_or(500);
    log_debug("watch ended by the server", {{"code", code}, {"text", text(object, {"message"})}});
    // Whatever it was, the server does not go on from our version: list anew.
    resource_version_.clear();
    return error_of_status(static_cast<unsigned>(code));
  }
  const std::string_view version = resource_version_of(object);
  if (version.empty()) return make_error_code(FlowError::bad_message);
  resource_version_ = std::string(version);
  Key key = key_of(object);
  if (type == "ADDED" || type == "MODIFIED") apply(std::move(key), std::move(object));
  if (type == "DELETED") drop(key);
  return Result<>();
}

void Watcher::forget_absent(const std::set<Key>& present) {
  std::map<Key, Json> gone;
  for (auto at = known_.begin(); at != known_.end();) {
    const auto next = std::next(at);
    if (!present.contains(at->first)) gone.insert(known_.extract(at));
    at = next;
  }
  for (const auto& [key, object] : gone) listener_.removed(object);
}

void Watcher::apply(Key key, Json object) {
  trim(object);
  Json& known = known_[std::move(key)];
  if (!known.is_null()) {
    if (resource_version_of(known) == resource_version_of(object)) return;
    // Another one under the same name: deleted and made anew while nobody looked.
    if (text(known, {"metadata", "uid"}) != text(object, {"metadata", "uid"})) {
      listener_.removed(known);
    }
  }
  known = kept_of(object);
  listener_.applied(object);
}

void Watcher::drop(const Key& key) {
  const auto gone = known_.extract(key);
  if (!gone.empty()) listener_.removed(gone.mapped());
}

}  // namespace pilotlight::kube
