#include "local/address_block.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

constexpr unsigned kBlocks = 250 * 250;  // 127.3.3.0/24 to 127.252.252.0/24

/// Binds an abstract unix socket. @return its descriptor, or -1 when somebody has it.
int bind_abstract(const std::string& name) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), where.sun_path + 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&where), length) == 0) return fd;
  close(fd);
  return -1;
}

std::uint16_t block_of(std::uint64_t number) {
  const auto n = static_cast<unsigned>(number % kBlocks);
  return static_cast<std::uint16_t>(((n / 250 + 3) << 8) | (n % 250 + 3));
}

}  // namespace

Result<AddressBlock> AddressBlock::claim(std::uint64_t seed) {
  for (unsigned i = 0; i < kBlocks; ++i) {
    AddressBlock block(block_of(seed + i));
    block.claim_fd_ = bind_abstract("pilotlight/" + block.address(0));
    if (block.claim_fd_ >= 0) return block;
  }
  return ErrorCode(EADDRINUSE, boost::system::system_category());
}

AddressBlock::~AddressBlock() {
  if (claim_fd_ >= 0) close(claim_fd_);
}

AddressBlock::AddressBlock(AddressBlock&& other) noexcept
    : block_(other.block_),
      claim_fd_(std::exchange(other.claim_fd_, -1)),
      next_(other.next_),
      used_(other.used_) {}

std::optional<std::string> AddressBlock::take() {
  for (unsigned tries = kFirst; tries <= kLast; ++tries) {
    const unsigned last = next_;
    next_ = next_ == kLast ? kFirst : next_ + 1;
    if (used_[last]) continue;
    used_.set(last);
    return address(last);
  }
  return std::nullopt;
}

void AddressBlock::give_back(const std::string& given) {
  for (unsigned last = kFirst; last <= kLast; ++last) {
    if (used_[last] && address(last) == given) used_.reset(last);
  }
}

std::string AddressBlock::address(unsigned last) const {
  return fmt::format("127.{}.{}.{}", block_ >> 8, block_ & 0xff, last);
}

bool port_is_free(const std::string& address, std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1) return false;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool free =
      bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 && listen(fd, 1) == 0;
  close(fd);
  return free;
}

BlockPorts choose_ports(const std::string& address) {
  BlockPorts ports;
  std::uint16_t other = 18000;
  for (std::uint16_t* port : {&ports.serving, &ports.admin, &ports.stats, &ports.wire}) {
    while (!port_is_free(address, *port) && other < 20000) *port = other++;
  }
  return ports;
}

std::optional<std::uint16_t> PortPool::take() {
  for (unsigned tries = kFirst; tries <= kLast; ++tries) {
    const std::uint16_t port = next_;
    next_ = next_ == kLast ? kFirst : static_cast<std::uint16_t>(next_ + 1);
    if (used_[port] || !port_is_free("0.0.0.0", port)) continue;
    used_.set(port);
    return port;
  }
  return std::nullopt;
}

void PortPool::give_back(std::uint16_t port) { used_.reset(port); }

}  // namespace pilotlight::local
