#include "local/api/store.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/system_clock.h"
#include "local/api/validation.h"

namespace pilotlight::local {
std::string timestamp(std::int64_t seconds_from_now) {
  const auto seconds = static_cast<std::time_t>(wall_clock_ns() / 1'000'000'000 + seconds_from_now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text.data(), size);
}

std::string ApiStore::key_of(std::string_view space, std::string_view name) {
  return fmt::format("{}/{}", space, name);
}

ApiStore::Subscription::Subscription(Subscription&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)), id_(other.id_) {}

ApiStore::Subscription& ApiStore::Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  if (store_ != nullptr) store_->unsubscribe(id_);
  store_ = std::exchange(other.store_, nullptr);
  id_ = other.id_;
  return *this;
}

ApiStore::Subscription::~Subscription() {
  if (store_ != nullptr) store_->unsubscribe(id_);
}

ApiStore::ApiStore(std::uint64_t seed, std::uint64_t first_version)
    : version_(first_version), forgotten_(first_version), random_(seed) {
  PILOTLIGHT_CHECK(kinds().size() == kKinds);
  ensure_namespace("default");
}

Object ApiStore::find(kube::Resource resource, std::string_view space,
                      std::string_view name) const {
  const Kind* kind = kind_of(resource);
  if (kind == nullptr) return nullptr;
  const Objects& objects = objects_[static_cast<std::size_t>(kind - kinds().data())];
  const auto found = objects.find(key_of(kind->namespaced ? space : std::string_view(), name));
  return found == objects.end() ? nullptr : found->second;
}

std::vector<Object> ApiStore::list(kube::Resource resource, std::string_view space) const {
  std::vector<Object> found;
  const Kind* kind = kind_of(resource);
  if (kind == nullptr) return found;
  const Objects& objects = objects_[static_cast<std::size_t>(kind - kinds().data())];
  const bool all = space.empty() || !kind->namespaced;
  const std::string prefix = all ? std::string() : key_of(space, "");
  for (auto at = objects.lower_bound(prefix); at != objects.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    found.push_back(at->second);
  }
  return found;
}

void ApiStore::ensure_namespace(const std::string& space) {
  if (find(kube::kNamespaces, "", space)) return;
  Json object;
  object["metadata"]["name"] = space;
  object["metadata"]["labels"]["kubernetes.io/metadata.name"] = space;
  object["spec"] = Json::object();
  object["status"]["phase"] = "Active";
  const Stored made = create(kube::kNamespaces, std::move(object));
  static_cast<void>(made);  // a name that is none is found out with the object itself
}

ApiStore::Subscription ApiStore::subscribe(Listener listener) {
  Listening listening;
  listening.id = next_listener_++;
  listening.after = version_;
  listening.listener = std::move(listener);
  listeners_.push_back(std::move(listening));
  return Subscription(*this, listeners_.back().id);
}

void ApiStore::unsubscribe(std::uint64_t id) {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                  [id](const Listening& one) { return one.id == id; });
  if (found == listeners_.end()) return;
  if (telling_) {
    found->id = 0;  // it may be the one that is running: erased when all has been told
  } else {
    listeners_.erase(found);
  }
}

void ApiStore::tell(Change change) {
  history_.push_back(change);
  if (history_.size() > kHistory) {
    forgotten_ = history_.front().version;
    history_.pop_front();
  }
  untold_.push_back(std::move(change));
  if (telling_) return;
  telling_ = true;
  while (!untold_.empty()) {
    const Change next = std::move(untold_.front());
    untold_.pop_front();
    for (const Listening& one : listeners_) {
      if (one.id != 0 && one.after < next.version) one.listener(next);
    }
  }
  telling_ = false;
  listeners_.remove_if([](const Listening& one) { return one.id == 0; });
}

std::optional<std::vector<Change>> ApiStore::changes_after(std::uint64_t version,
                                                           std::size_t limit) const {
  if (version < forgotten_ || version > version_) return std::nullopt;
  // Every change raised the version by one, so the place in the history follows from it.
  const auto first = static_cast<std::ptrdiff_t>(version - forgotten_);
  const auto count = std::min(limit, history_.size() - static_cast<std::size_t>(first));
  return std::vector<Change>(history_.begin() + first,
                             history_.begin() + first + static_cast<std::ptrdiff_t>(count));
}

std::string ApiStore::new_uid() {
  const std::uint64_t high = (random_() & ~0xf000ULL) | 0x4000ULL;               // version 4
  const std::uint64_t low = (random_() & ~(0xc000ULL << 48)) | 0x8000ULL << 48;  // variant 1
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xffff, low >> 48, low & 0xffffffffffffULL);
}

std::string ApiStore::random_suffix() {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";  // as Kubernetes: no words
  std::string suffix;
  std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
  for (int i = 0; i < 5; ++i) suffix += kLetters[pick(random_)];
  return suffix;
}

}  // namespace pilotlight::local
