#include "common/wire/frames.h"

namespace pilotlight::wire {
namespace {

constexpr FrameType type(const Hello&) { return FrameType::hello; }
constexpr FrameType type(const Welcome&) { return FrameType::welcome; }
constexpr FrameType type(const Stats&) { return FrameType::stats; }
constexpr FrameType type(const History&) { return FrameType::history; }
constexpr FrameType type(const HistoryEnd&) { return FrameType::history_end; }
constexpr FrameType type(const Poke&) { return FrameType::poke; }
constexpr FrameType type(const Ready&) { return FrameType::ready; }
constexpr FrameType type(const NotReady&) { return FrameType::not_ready; }
constexpr FrameType type(const Endpoints&) { return FrameType::endpoints; }
constexpr FrameType type(const Drain&) { return FrameType::drain; }
constexpr FrameType type(const Drained&) { return FrameType::drained; }
constexpr FrameType type(const Ping&) { return FrameType::ping; }
constexpr FrameType type(const Pong&) { return FrameType::pong; }
constexpr FrameType type(const Goaway&) { return FrameType::goaway; }
constexpr FrameType type(const Error&) { return FrameType::error; }
constexpr FrameType type(const Checkpoint&) { return FrameType::checkpoint; }
constexpr FrameType type(const Woken&) { return FrameType::woken; }

}  // namespace

FrameType type_of(const Frame& frame) noexcept {
  return std::visit([](const auto& f) { return type(f); }, frame);
}

std::string_view name_of(FrameType type) noexcept {
  switch (type) {
    case FrameType::hello: return "HELLO";
    case FrameType::welcome: return "WELCOME";
    case FrameType::stats: return "STATS";
    case FrameType::history: return "HISTORY";
    case FrameType::history_end: return "HISTORY_END";
    case FrameType::poke: return "POKE";
    case FrameType::ready: return "READY";
    case FrameType::not_ready: return "NOT_READY";
    case FrameType::endpoints: return "ENDPOINTS";
    case FrameType::drain: return "DRAIN";
    case FrameType::drained: return "DRAINED";
    case FrameType::lease: return "LEASE";
    case FrameType::lease_return: return "RETURN";
    case FrameType::ping: return "PING";
    case FrameType::pong: return "PONG";
    case FrameType::goaway: return "GOAWAY";
    case FrameType::error: return "ERROR";
    case FrameType::checkpoint: return "CHECKPOINT";
    case FrameType::woken: return "WOKEN";
  }
  return "?";
}

}  // namespace pilotlight::wire
