#include "common/kube/watcher.h"

#include <set>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "common/base/log.h"

namespace pilotlight::kube {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstPause = 20ms;
constexpr auto kLongestPause = 5s;
constexpr auto kListTimeout = 30s;
constexpr int kWatchSeconds = 300;
constexpr auto kWatchGrace = 30s;  // beyond kWatchSeconds the server is not there any longer
constexpr auto kWentWell = 1s;     // a watch that lasted as long ended for a good reason

std::string key_of(const Json& object) {
  return std::string(namespace_of(object)) + "/" + std::string(name_of(object));
}

}  // namespace

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
    const TimePoint begun = clock_.now();
    if (went && !closed_) went = co_await watch();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (closed_ || state.cancelled() != asio::cancellation_type::none) co_return;

    if (clock_.now() - begun >= kWentWell) back_off_.reset();
    if (!went && went.error() == make_error_code(FlowError::gone)) {
      log_info("watch too old, listing anew", {{"resource", what_.resource.plural}});
      resource_version_.clear();
    } else if (!went) {
      log_debug("watch interrupted",
                {{"resource", what_.resource.plural}, {"reason", went.error().message()}});
    }
    co_await pause();
  }
}

Task<> Watcher::pause() { co_await pause_->wait_until(clock_.now() + back_off_.next(random_)); }

void Watcher::close() noexcept {
  closed_ = true;
  pause_->cancel();
  if (stream_ != nullptr) stream_->close();
}

Task<Result<>> Watcher::list() {
  auto got = co_await client_.list(what_.resource, what_.space, what_.selector,
                                   clock_.now() + kListTimeout);
  if (!got) co_return got.error();
  const std::string_view version = resource_version_of(*got);
  if (version.empty()) co_return make_error_code(FlowError::bad_message);
  resource_version_ = std::string(version);
  reset(*got);
  co_return Result<>();
}

Task<Result<>> Watcher::watch() {
  control::LineStream stream(client_.executor(), clock_);
  stream_ = &stream;
  const TimePoint end = clock_.now() + std::chrono::seconds(kWatchSeconds) + kWatchGrace;
  Result<> went =
      co_await client_.open_watch(stream, what_.resource, what_.space, what_.selector,
                                  resource_version_, kWatchSeconds, clock_.now() + kListTimeout);
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
  co_return went;
}

Result<> Watcher::take_line(const std::string& line) {
  const std::optional<Json> event = parse_json(line);
  const Json* object = event ? find(*event, {"object"}) : nullptr;
  if (object == nullptr) return make_error_code(FlowError::bad_message);
  const std::string_view type = text(*event, {"type"});
  if (type == "ERROR") {
    const auto code = integer(*object, {"code"}).value_or(500);
    log_debug("watch ended by the server", {{"code", code}, {"text", text(*object, {"message"})}});
    // Whatever it was, the server does not go on from our version: list anew.
    resource_version_.clear();
    return error_of_status(static_cast<unsigned>(code));
  }
  const std::string_view version = resource_version_of(*object);
  if (version.empty()) return make_error_code(FlowError::bad_message);
  resource_version_ = std::string(version);
  if (type == "ADDED" || type == "MODIFIED") apply(key_of(*object), *object);
  if (type == "DELETED") drop(key_of(*object), *object);
  return Result<>();
}

void Watcher::reset(const Json& list) {
  std::set<Key> present;
  for (const Json& item : array(list, {"items"})) {
    if (name_of(item).empty()) continue;
    Key key = key_of(item);
    present.insert(key);
    apply(std::move(key), item);
  }
  std::map<Key, Json> gone;
  for (auto at = known_.begin(); at != known_.end();) {
    const auto next = std::next(at);
    if (!present.contains(at->first)) gone.insert(known_.extract(at));
    at = next;
  }
  for (const auto& [key, object] : gone) listener_.removed(object);
  synced_ = true;
  listener_.synced();
}

void Watcher::apply(Key key, const Json& object) {
  const auto found = known_.find(key);
  if (found != known_.end()) {
    if (resource_version_of(found->second) == resource_version_of(object)) return;
    if (text(found->second, {"metadata", "uid"}) != text(object, {"metadata", "uid"})) {
      const Json replaced = std::move(found->second);
      known_.erase(found);
      listener_.removed(replaced);  // deleted and made anew while nobody looked
    }
  }
  known_.insert_or_assign(std::move(key), object);
  listener_.applied(object);
}

void Watcher::drop(const Key& key, const Json& object) {
  if (known_.erase(key) == 0) return;
  listener_.removed(object);
}

}  // namespace pilotlight::kube
