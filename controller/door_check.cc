#include "controller/door_check.h"

namespace pilotlight::controller {
namespace {

constexpr std::chrono::milliseconds kDialTime{300};
constexpr std::chrono::seconds kSilence{1};

}  // namespace

Task<bool> DoorCheck::open(std::string ip, std::uint16_t port) {
  const std::pair<std::string, std::uint16_t> place(ip, port);
  if (open_.contains(place)) co_return true;
  const auto silent = silent_.find(ip);
  if (silent != silent_.end() && clock_.now() < silent->second) co_return false;
  ErrorCode ec;
  const auto address = asio::ip::make_address(ip, ec);
  if (ec) co_return false;
  const tcp::endpoint where(address, port);
  const std::uint64_t before = forgotten_;
  const Result<> reached = co_await dial_(where, clock_.now() + kDialTime);
  if (reached) {
    silent_.erase(ip);
    if (forgotten_ == before) open_.insert(place);  // else it may be the port that is to close
  } else if (reached.error() == FlowError::deadline_exceeded) {
    silent_[ip] = clock_.now() + kSilence;
  }
  co_return reached.has_value();
}

void DoorCheck::keep(const std::set<std::string>& alive) {
  std::erase_if(open_, [&alive](const auto& place) { return !alive.contains(place.first); });
  std::erase_if(silent_, [&alive](const auto& each) { return !alive.contains(each.first); });
}

void DoorCheck::forget(std::uint16_t port) {
  ++forgotten_;
  std::erase_if(open_, [port](const auto& place) { return place.second == port; });
}

}  // namespace pilotlight::controller
