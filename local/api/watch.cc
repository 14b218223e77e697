#include "local/api/watch.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "local/api/requests.h"

namespace pilotlight::local {
namespace {

constexpr std::chrono::seconds kLongest{3600};
constexpr std::chrono::seconds kBookmarkPeriod{60};
constexpr std::size_t kBatch = 100;
constexpr const char* kJson = "application/json";

std::string event(std::string_view type, const Json& object) {
  std::string line = "{\"type\":\"";
  line.append(type).append("\",\"object\":").append(kube::to_text(object)).append("}\n");
  return line;
}

std::string bookmark(const Kind& kind, std::uint64_t version, bool initial_end) {
  Json object;
  object["kind"] = kind.kind;
  object["apiVersion"] = api_version_of(kind.resource);
  object["metadata"]["resourceVersion"] = std::to_string(version);
  object["metadata"]["creationTimestamp"] = nullptr;
  if (initial_end) object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  return event("BOOKMARK", object);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool yes(std::string_view text) { return text == "true" || text == "1"; }

/// What a watcher asked for.
struct Wish {
  Selector selector;
  std::optional<std::uint64_t> after;  // none: begin with all there is
  std::chrono::seconds lasts = kLongest;
  bool bookmarks = false;
  bool initial_end = false;  // say when all there was has been told
};

boost::system::result<Wish, Refusal> wish_of(const Target& target,
                                             const control::Request& request) {
  Wish wish;
  std::string fields(request.param("fieldSelector"));
  if (!target.name.empty()) {
    fields = "metadata.name=" + target.name + (fields.empty() ? "" : ",") + fields;
  }
  auto selector = Selector::parse(request.param("labelSelector"), fields);
  if (!selector) return bad_request(selector.error());
  wish.selector = std::move(*selector);
  const std::string_view version = request.param("resourceVersion");
  const bool all = yes(request.param("sendInitialEvents"));
  if (!version.empty() && version != "0" && !all) {
    wish.after = number(version);
    if (!wish.after)
      return bad_request("invalid resource version \"" + std::string(version) + "\"");
  }
  const std::string_view timeout = request.param("timeoutSeconds");
  if (const auto seconds = number(timeout); seconds && *seconds > 0) {
    const auto longest = static_cast<std::uint64_t>(kLongest.count());
    wish.lasts = std::chrono::seconds(std::min(*seconds, longest));
  }
  wish.bookmarks = yes(request.param("allowWatchBookmarks"));
  wish.initial_end = all && wish.bookmarks;
  return wish;
}

/// The lines for what came after `cursor`, which moves on. None: the history does not reach back.
std::optional<std::string> next_lines(const ApiStore& store, const Kind& kind,
                                      const std::string& space, const Selector& selector,
                                      std::uint64_t& cursor) {
  std::string lines;
  while (lines.empty() && cursor != store.version()) {
    const auto changes = store.changes_after(cursor, kBatch);
    if (!changes) return std::nullopt;
    for (const Change& change : *changes) {
      cursor = change.version;
      if (change.resource != kind.resource) continue;
      if (!space.empty() && kube::namespace_of(*change.object) != space) continue;
      lines += watch_line(change, selector);
    }
  }
  return lines;
}

std::string all_there_is(const ApiStore& store, const Target& target, const Selector& selector) {
  std::string lines;
  for (const Object& object : store.list(target.kind->resource, target.space)) {
    if (selector.matches(*object)) lines += event("ADDED", *object);
  }
  return lines;
}

std::string too_old(std::uint64_t cursor, const ApiStore& store) {
  const Refusal refusal = expired("too old resource version: " + std::to_string(cursor) + " (" +
                                  std::to_string(store.version()) + ")");
  return event("ERROR", refusal.to_json());
}

/// Wakes the watch at hand: it lives in the frame of watch().
struct Waker {
  explicit Waker(Clock& clock) : timer(clock.make_timer()) {}

  std::unique_ptr<Timer> timer;
  bool gone = false;
};

}  // namespace

std::string watch_line(const Change& change, const Selector& selector) {
  const bool now = change.type != Change::Type::deleted && selector.matches(*change.object);
  const bool then = change.before != nullptr && selector.matches(*change.before);
  if (now) return event(then ? "MODIFIED" : "ADDED", *change.object);
  if (!then) return "";
  if (change.type == Change::Type::deleted) return event("DELETED", *change.object);
  Json last = *change.before;
  last["metadata"]["resourceVersion"] = std::to_string(change.version);
  return event("DELETED", last);
}

Task<> watch(ApiStore& store, Clock& clock, const bool& stopping, Target target,
             const control::Request& request, control::Reply& reply) {
  auto wished = wish_of(target, request);
  if (!wished) {
    const Outcome outcome = refused(wished.error());
    std::string body = kube::to_text(outcome.body);
    const Result<> sent = co_await reply.send(outcome.code, kJson, std::move(body));
    co_return static_cast<void>(sent);
  }
  const Wish wish = std::move(*wished);
  Waker waker(clock);
  const auto subscription = store.subscribe([&waker](const Change&) { waker.timer->cancel(); });
  reply.when_gone([&waker] {
    waker.gone = true;
    waker.timer->cancel();
  });
  const TimePoint end = clock.now() + wish.lasts;
  TimePoint next_bookmark = wish.bookmarks ? clock.now() + kBookmarkPeriod : TimePoint::max();
  std::uint64_t cursor = wish.after.value_or(store.version());
  std::string first;
  if (!wish.after) first = all_there_is(store, target, wish.selector);
  if (wish.initial_end) first += bookmark(*target.kind, cursor, true);

  Result<> sent = co_await reply.begin(200, kJson);
  if (sent && !first.empty()) sent = co_await reply.write(std::move(first));
  while (sent && !waker.gone && !stopping) {
    auto lines = next_lines(store, *target.kind, target.space, wish.selector, cursor);
    if (!lines) {
      sent = co_await reply.write(too_old(cursor, store));
      break;
    }
    const TimePoint now = clock.now();
    const bool over = now >= end;
    if (now >= next_bookmark || (over && wish.bookmarks)) {
      *lines += bookmark(*target.kind, cursor, false);
      next_bookmark = now + kBookmarkPeriod;
    }
    if (!lines->empty()) sent = co_await reply.write(std::move(*lines));
    if (over) break;
    // Nothing may come between this look and the wait, or its wake would be lost.
    if (sent && cursor == store.version() && !waker.gone && !stopping) {
      co_await waker.timer->wait_until(std::min(end, next_bookmark));
    }
  }
  if (sent) sent = co_await reply.finish();
}

}  // namespace pilotlight::local
