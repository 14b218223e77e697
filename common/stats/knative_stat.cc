#include "common/stats/knative_stat.h"

#include <bit>

namespace pilotlight {
namespace {

enum WireType : unsigned { varint = 0, fixed64 = 1, bytes = 2 };

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_tag(std::string& out, unsigned field, WireType type) {
  put_varint(out, (field << 3U) | static_cast<unsigned>(type));
}

void put_double(std::string& out, unsigned field, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (bits == 0) return;  // -0.0 has a bit set and is written, as the reference encoders do
  put_tag(out, field, fixed64);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<char>((bits >> shift) & 0xff));
  }
}

constexpr std::size_t kMaxName = 253;

}  // namespace

std::string encode(const KnativeStat& stat) {
  std::string out;
  const std::string_view name = std::string_view(stat.pod_name).substr(0, kMaxName);
  if (!name.empty()) {
    put_tag(out, 1, bytes);
    put_varint(out, name.size());
    out += name;
  }
  put_double(out, 2, stat.average_concurrent_requests);
  put_double(out, 3, stat.average_proxied_concurrent_requests);
  put_double(out, 4, stat.request_count);
  put_double(out, 5, stat.proxied_request_count);
  put_double(out, 6, stat.process_uptime);
  if (stat.timestamp != 0) {
    put_tag(out, 7, varint);
    put_varint(out, static_cast<std::uint64_t>(stat.timestamp));
  }
  return out;
}

}  // namespace pilotlight
