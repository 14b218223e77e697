#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/error.h"

namespace pilotlight::local {

/// The ports that sidecars, the activator and the autoscaler bind on addresses of the block.
struct BlockPorts {
  std::uint16_t serving = 8012;
  std::uint16_t admin = 8022;
  std::uint16_t stats = 9090;
  std::uint16_t wire = 9444;
};

/// A /24 of 127/8 that no other `up` of this machine uses, and who has which address of it.
///
/// The claim is an abstract unix socket, so the kernel gives it back however this process ends.
/// .2 is the activator, .3 the autoscaler, replicas get .10 to .250, the longest unused first, so
/// that a late packet for a replica that is gone meets nobody.
class AddressBlock {
 public:
  /// Claims the first free block, trying from one that `seed` picks. Error when all are taken.
  [[nodiscard]] static Result<AddressBlock> claim(std::uint64_t seed);
  /// A block without a claim: for tests.
  explicit AddressBlock(std::uint16_t block) : block_(block) {}
  ~AddressBlock();
  AddressBlock(AddressBlock&& other) noexcept;
  AddressBlock& operator=(AddressBlock&&) = delete;

  [[nodiscard]] std::string activator() const { return address(2); }
  [[nodiscard]] std::string autoscaler() const { return address(3); }

  /// An address for a replica; none when all 241 are in use.
  [[nodiscard]] std::optional<std::string> take();
  /// Gives it back. Ignores what was not taken.
  void give_back(const std::string& address);

 private:
  static constexpr unsigned kFirst = 10;
  static constexpr unsigned kLast = 250;

  [[nodiscard]] std::string address(unsigned last) const;

  std::uint16_t block_;
  int claim_fd_ = -1;
  unsigned next_ = kFirst;
  std::bitset<256> used_;
};

/// Whether `port` can be bound on `address` now. Someone who listens on 0.0.0.0 blocks it.
[[nodiscard]] bool port_is_free(const std::string& address, std::uint16_t port);

/// The default ports where they are free on `address`, others (from 18000 up) where they are not.
[[nodiscard]] BlockPorts choose_ports(const std::string& address);

/// Free ports for users' processes, from 20000 to 32767: below the kernel's own range, so that no
/// outgoing connection takes one first. No port is given twice while it is taken.
class PortPool {
 public:
  /// A port that is free on every address now; none when all are taken.
  [[nodiscard]] std::optional<std::uint16_t> take();
  void give_back(std::uint16_t port);

  static constexpr std::uint16_t kFirst = 20000;
  static constexpr std::uint16_t kLast = 32767;

  /// `seed` says where to begin, so that two `up` seldom look at the same ports.
  explicit PortPool(std::uint64_t seed)
      : next_(static_cast<std::uint16_t>(kFirst + seed % (kLast - kFirst + 1))) {}

 private:
  std::uint16_t next_;
  std::bitset<65536> used_;
};

}  // namespace pilotlight::local
