#include "config/time_zone.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "config/posix_tz.h"

namespace pilotlight::config {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view kMagic = "TZif";
constexpr std::uint32_t kMostEntries = 10'000;
constexpr seconds kDay{86'400};

/// Takes big-endian numbers off the front of a file; `bad` once it has come to its end.
struct Bytes {
  std::string_view rest;
  bool bad = false;

  std::string_view take(std::size_t count) {
    if (rest.size() < count) {
      bad = true;
      return {};
    }
    const std::string_view part = rest.substr(0, count);
    rest.remove_prefix(count);
    return part;
  }
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    for (const char c : take(count)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
};

struct Header {
  char version = 0;
  std::uint32_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, letters = 0;
};

std::optional<Header> read_header(Bytes& in) {
  if (in.take(kMagic.size()) != kMagic) return std::nullopt;
  Header out;
  const std::string_view version = in.take(1);
  if (version.empty()) return std::nullopt;
  out.version = version[0];
  in.take(15);
  for (std::uint32_t* count :
       {&out.utc_flags, &out.standard_flags, &out.leaps, &out.times, &out.types, &out.letters}) {
    *count = static_cast<std::uint32_t>(in.number(4));
    if (*count > kMostEntries) return std::nullopt;
  }
  if (in.bad) return std::nullopt;
  return out;
}

bool is_zone_name(const std::string& name) {
  constexpr std::string_view kSigns = "/_+-";
  const auto good = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kSigns.find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() < 64 && name[0] != '/' &&
         std::all_of(name.begin(), name.end(), good);
}

}  // namespace

std::optional<TimeZone> TimeZone::parse(std::string_view bytes) {
  Bytes in{bytes};
  const auto old = read_header(in);
  if (!old || old->version < '2') return std::nullopt;
  // The first block has 32-bit times, for readers of old; the same follows with 64 bits.
  in.take(old->times * 5 + old->types * 6 + old->letters + old->leaps * 8 + old->standard_flags +
          old->utc_flags);
  const auto header = read_header(in);
  if (!header || header->types == 0) return std::nullopt;
  TimeZone zone;
  for (std::uint32_t i = 0; i < header->times; ++i) {
    zone.transitions_.push_back(static_cast<std::int64_t>(in.number(8)));
  }
  const std::string_view kinds = in.take(header->times);
  std::vector<seconds> offsets;
  for (std::uint32_t i = 0; i < header->types; ++i) {
    offsets.emplace_back(static_cast<std::int32_t>(in.number(4)));
    in.take(2);
  }
  for (const char kind : kinds) {
    const auto index = static_cast<unsigned char>(kind);
    if (index >= offsets.size()) return std::nullopt;
    zone.offsets_.push_back(offsets[index]);
  }
  in.take(header->letters + header->leaps * 12 + header->standard_flags + header->utc_flags);
  const bool rising = std::is_sorted(zone.transitions_.begin(), zone.transitions_.end());
  if (in.bad || !rising) return std::nullopt;
  for (const seconds offset : offsets) {
    if (offset <= -2 * kDay || offset >= 2 * kDay) return std::nullopt;
  }
  zone.before_ = offsets.front();
  const std::size_t end = in.rest.find('\n', 1);
  if (in.rest.starts_with('\n') && end != std::string_view::npos) {
    zone.after_ = parse_posix_tz(in.rest.substr(1, end - 1));
  }
  return zone;
}

std::optional<TimeZone> TimeZone::find(const std::string& name, const std::string& folder) {
  if (name == "UTC") return TimeZone();
  if (!is_zone_name(name)) return std::nullopt;
  std::ifstream file(folder + "/" + name, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();  // of a directory: nothing, and no exception
  return parse(bytes.str());
}

seconds TimeZone::offset_at(sys_seconds when) const {
  const std::int64_t now = when.time_since_epoch().count();
  const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), now);
  if (next == transitions_.end() && after_) return offset_of(*after_, when);
  if (next == transitions_.begin()) return before_;
  return offsets_[static_cast<std::size_t>(next - transitions_.begin()) - 1];
}

sys_seconds TimeZone::to_sys(std::chrono::local_seconds local) const {
  const sys_seconds as_if(local.time_since_epoch());
  // No place changes its clocks twice within the two days around.
  const seconds before = offset_at(as_if - kDay);
  const seconds after = offset_at(as_if + kDay);
  const sys_seconds first = as_if - before;
  if (offset_at(first) == before) return first;
  sys_seconds low = as_if - after;
  if (offset_at(low) == after) return low;
  sys_seconds high = first;  // the jump is in (low, high]
  while (high - low > seconds(1)) {
    const sys_seconds middle = low + (high - low) / 2;
    (offset_at(middle) == before ? low : high) = middle;
  }
  return high;
}

}  // namespace pilotlight::config
