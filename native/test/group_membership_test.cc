#include "../group_membership.h"

#include <numeric>

#include "check.h"
#include "network.h"

namespace garpoon::test {
namespace {

// How many solicited-node groups of the test's making the interface is in, by the kernel's account.
size_t GroupsOn(const char* interface) {
  std::istringstream lines(ReadAll("/proc/self/net/igmp6"));
  size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    count +=
        line.find(interface) != std::string::npos && line.find("ff0200000000000000000001ff77") != std::string::npos;
  }
  return count;
}

std::vector<uint32_t> Suffixes(uint32_t first, uint32_t count) {
  std::vector<uint32_t> suffixes(count);
  std::iota(suffixes.begin(), suffixes.end(), 0x770000 + first);
  return suffixes;
}

void Finish(GroupMembership& groups) {
  while (groups.Step(50)) {
  }
}

}  // namespace

NETWORK_TEST("joins what is wanted and leaves what is not") {
  Cable cable;
  GroupMembership groups(static_cast<int>(if_nametoindex("near")));
  const struct { uint32_t first, count; } rows[] = {{0, 1}, {0, 300}, {200, 300}, {0, 0}, {5, 1}};
  for (const auto& row : rows) {
    groups.Want(Suffixes(row.first, row.count));
    Finish(groups);
    EXPECT_EQ(GroupsOn("near"), row.count);
    EXPECT_EQ(groups.failures(), 0u);
  }
}

NETWORK_TEST("more groups than a socket holds are joined on several, and left when it goes") {
  Cable cable;
  {
    GroupMembership groups(static_cast<int>(if_nametoindex("near")));
    groups.Want(Suffixes(0, 4096));
    Finish(groups);
    EXPECT_EQ(GroupsOn("near"), 4096u);
    EXPECT(!groups.overflow());
    groups.Want(Suffixes(0, 4097));
    EXPECT(groups.overflow());
  }
  EXPECT_EQ(GroupsOn("near"), 0u);
}

NETWORK_TEST("joins again when IPv6 on the interface has forgotten the groups") {
  Cable cable;
  GroupMembership groups(static_cast<int>(if_nametoindex("near")));
  groups.Want(Suffixes(0, 20));
  Finish(groups);
  RunIp("link set near mtu 1000");  // too small for IPv6, which goes away
  RunIp("link set near mtu 1500");
  EXPECT_EQ(GroupsOn("near"), 0u);
  groups.Rejoin();
  Finish(groups);
  EXPECT_EQ(GroupsOn("near"), 20u);
  groups.Want({});
  Finish(groups);
  EXPECT_EQ(GroupsOn("near"), 0u);
}

NETWORK_TEST("a refusal is counted and does not stop the rest") {
  Cable cable;
  const int index = static_cast<int>(if_nametoindex("near"));
  GroupMembership groups(index);
  RunIp("link set near mtu 1000");
  groups.Want(Suffixes(0, 3));
  Finish(groups);
  EXPECT_EQ(groups.failures(), 3u);
  EXPECT(groups.error() != 0);
  RunIp("link set near mtu 1500");
  groups.Rejoin();
  Finish(groups);
  EXPECT_EQ(groups.failures(), 0u);
  EXPECT_EQ(GroupsOn("near"), 3u);
}

}  // namespace garpoon::test
