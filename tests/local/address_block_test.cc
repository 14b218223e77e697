#include "local/address_block.h"

#include <set>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pilotlight::local {
namespace {

TEST(AddressBlock, ReplicasGetTenToTwoHundredFiftyEachOnce) {
  AddressBlock block(77 << 8 | 3);
  EXPECT_EQ(block.activator(), "127.77.3.2");
  EXPECT_EQ(block.autoscaler(), "127.77.3.3");
  std::set<std::string> seen;
  for (int i = 0; i < 241; ++i) {
    const auto address = block.take();
    ASSERT_TRUE(address);
    EXPECT_TRUE(seen.insert(*address).second) << *address;
  }
  EXPECT_TRUE(seen.contains("127.77.3.10"));
  EXPECT_TRUE(seen.contains("127.77.3.250"));
  EXPECT_FALSE(block.take());
  block.give_back("127.77.3.99");
  EXPECT_EQ(block.take(), "127.77.3.99");
}

TEST(AddressBlock, WhatWasGivenBackIsTheLastToBeGivenAgain) {
  AddressBlock block(77 << 8 | 3);
  const auto first = block.take();
  block.give_back(*first);
  EXPECT_NE(block.take(), first);
}

TEST(AddressBlock, TwoClaimsAreTwoBlocks) {
  const auto one = AddressBlock::claim(12345);
  const auto two = AddressBlock::claim(12345);
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->activator(), two->activator());
}

TEST(AddressBlock, AClaimEndsWithItsObject) {
  std::string address;
  {
    const auto one = AddressBlock::claim(54321);
    ASSERT_TRUE(one);
    address = one->activator();
  }
  const auto again = AddressBlock::claim(54321);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->activator(), address);
}

TEST(BlockPorts, APortThatSomebodyHoldsIsReplacedByAnother) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(8022);
  where.sin_addr.s_addr = htonl(0x7f5b5c02);  // 127.91.92.2
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool held =
      bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 && listen(fd, 1) == 0;
  const BlockPorts ports = choose_ports("127.91.92.2");
  close(fd);
  EXPECT_TRUE(!held || ports.admin >= 18000);
  EXPECT_NE(ports.admin, 8022);  // held by us, or by somebody on every address
}

TEST(PortPool, PortsAreDistinctFreeAndBelowTheEphemeralRange) {
  PortPool pool(7);
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 100; ++i) {
    const auto port = pool.take();
    ASSERT_TRUE(port);
    EXPECT_GE(*port, PortPool::kFirst);
    EXPECT_LT(*port, 32768);
    EXPECT_TRUE(seen.insert(*port).second);
  }
}

}  // namespace
}  // namespace pilotlight::local
