#include "common/stats/growth.h"

namespace pilotlight {
namespace {

std::uint64_t share(std::uint64_t amount, std::uint64_t part_us, std::uint64_t whole_us) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(amount) * part_us / whole_us);
}

}  // namespace

bool continues(const LoadSnapshot& from, const LoadSnapshot& to) noexcept {
  return to.at_us >= from.at_us && to.concurrency_us >= from.concurrency_us &&
         to.proxied_concurrency_us >= from.proxied_concurrency_us && to.arrivals >= from.arrivals &&
         to.proxied_arrivals >= from.proxied_arrivals;
}

std::uint64_t SecondPiece::part_of(std::uint64_t amount) const noexcept {
  if (whole_us == 0) return amount;
  return share(amount, end_us, whole_us) - share(amount, begin_us, whole_us);
}

}  // namespace pilotlight
