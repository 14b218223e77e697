#include "activator/home.h"

#include <boost/asio/post.hpp>

namespace pilotlight::activator {

Home::Home(const HomeParts& parts, RevisionPtr revision)
    : parts_(parts),
      revision_(std::move(revision)),
      dispatcher_(parts.clock.now(), revision_->capacity, parts.budget, *this),
      back_off_(parts.deadlines, &Home::on_back_off, this) {}

void Home::on_back_off(void* self) {
  auto& home = *static_cast<Home*>(self);
  home.dispatcher_.wake(home.parts_.clock.now());
  home.arm();
}

void Home::arm() { back_off_.set(dispatcher_.next_wake(parts_.clock.now())); }

void Home::change(RevisionPtr revision) {
  revision_ = std::move(revision);
  dispatcher_.set_capacity(revision_->capacity);
}

void Home::retire() {
  retired_ = true;
  dispatcher_.retire(parts_.clock.now());
}

template <class Tell>
void Home::tell(Tell what) {
  asio::post(parts_.control, [listener = &parts_.listener, revision = revision_,
                              what = std::move(what)] { what(*listener, *revision); });
}

void Home::poke(std::uint32_t parked, Duration oldest_wait) {
  tell([=](RevisionListener& l, const RevisionInfo& r) { l.poke(r, parked, oldest_wait); });
}

void Home::drained(const ReplicaSet::Drained& replica) {
  tell([replica](RevisionListener& l, const RevisionInfo& r) { l.drained(r, replica); });
}

void Home::parked(TimePoint at) {
  tell([at](RevisionListener& l, const RevisionInfo& r) { l.parked(r, at); });
}

void Home::served(const WakeStory& story, TimePoint first_byte_at) {
  tell([=](RevisionListener& l, const RevisionInfo& r) { l.served(r, story, first_byte_at); });
}

void Home::unserved(TimePoint parked_at, RefusalCause cause) {
  tell([=](RevisionListener& l, const RevisionInfo& r) { l.unserved(r, parked_at, cause); });
}

}  // namespace pilotlight::activator
