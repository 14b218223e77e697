#include "common/wire/server_rules.h"

namespace pilotlight::wire {
namespace {

/// Takes as long whatever differs, and where.
bool same_secret(std::string_view expected, std::string_view got) noexcept {
  unsigned difference = expected.size() == got.size() ? 0U : 1U;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const char mine = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned char>(static_cast<unsigned char>(mine) ^
                                             static_cast<unsigned char>(got[i]));
  }
  return difference == 0;
}

}  // namespace

bool may_send(Role role, FrameType type) noexcept {
  switch (type) {
    case FrameType::stats:
    case FrameType::history:
    case FrameType::history_end: return true;
    case FrameType::ready:
    case FrameType::not_ready: return role == Role::sidecar;
    case FrameType::checkpoint:
    case FrameType::poke:
    case FrameType::woken:
    case FrameType::drained: return role == Role::activator;
    default: return false;
  }
}

std::optional<Objection> object_to(const Hello& hello, std::string_view token) {
  Objection objection;
  if (!token.empty() && !same_secret(token, hello.token)) {
    objection.why = Refusal::token;
    objection.text = "wrong token";
    return objection;
  }
  if (hello.version_min > kVersion || hello.version_max < kVersion) {
    objection.why = Refusal::version;
    objection.text = "only version 1 is spoken here";
    return objection;
  }
  return std::nullopt;
}

}  // namespace pilotlight::wire
