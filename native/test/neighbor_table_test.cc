// The kernel's real neighbours and routes, on a cable.
#include "../neighbor_table.h"

#include <algorithm>
#include <atomic>

#include "check.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

constexpr size_t kNoLimit = 256;

// A cable on which `near` has addresses and knows nobody.
struct Lan {
  Cable cable;
  Lan() { RunIp("addr add 198.18.0.100/24 dev near\naddr add 2001:db8::100/64 dev near nodad"); }
};

void AddNeighbor(const char* address, const char* mac, const char* state = "reachable") {
  RunIp(std::string("neigh replace ") + address + " lladdr " + mac + " dev near nud " + state);
}

// "198.18.0.1 01, fe80::1 02": the addresses with the last byte of the MAC, in the order they are told.
std::string Read(UnicastScope scope, size_t limit = kNoLimit, const char* interface = "near") {
  std::map<int, std::vector<UnicastTarget>> targets;
  EXPECT_EQ(ReadUnicastTargets(scope, limit, targets), 0);
  std::string text;
  for (const UnicastTarget& target : targets[static_cast<int>(if_nametoindex(interface))]) {
    text += (text.empty() ? "" : ", ") + Format(target.address) + " " + ToHex(target.mac.bytes).substr(10);
  }
  return text;
}

// The same, where the kernel gives no order.
std::string ReadSorted(UnicastScope scope, size_t limit = kNoLimit) {
  std::istringstream text(Read(scope, limit));
  std::vector<std::string> targets;
  for (std::string target; std::getline(text >> std::ws, target, ',');) targets.push_back(target);
  std::ranges::sort(targets);
  std::string sorted;
  for (const std::string& target : targets) sorted += (sorted.empty() ? "" : ", ") + target;
  return sorted;
}

}  // namespace

NETWORK_TEST("the gateway comes first, and alone if only gateways are asked for") {
  const Lan lan;
  AddNeighbor("198.18.0.1", "02:00:00:00:00:01");
  AddNeighbor("198.18.0.2", "02:00:00:00:00:02");
  AddNeighbor("198.18.0.3", "02:00:00:00:00:03");
  RunIp("route add default via 198.18.0.3 dev near");
  EXPECT_EQ(Read(UnicastScope::kOff), "");
  EXPECT_EQ(Read(UnicastScope::kGateways), "198.18.0.3 03");
  EXPECT_EQ(ReadSorted(UnicastScope::kNeighbors), "198.18.0.1 01, 198.18.0.2 02, 198.18.0.3 03");
  EXPECT_EQ(Read(UnicastScope::kNeighbors).substr(0, 13), "198.18.0.3 03");
  EXPECT_EQ(Read(UnicastScope::kNeighbors, kNoLimit, "far"), "");
}

NETWORK_TEST("routes of every kind that have a gateway count, in any table") {
  const Lan lan;
  for (const char digit : {'1', '2', '3', '4', '5'}) {
    AddNeighbor((std::string("198.18.0.") + digit).c_str(), (std::string("02:00:00:00:00:0") + digit).c_str());
    AddNeighbor((std::string("2001:db8::") + digit).c_str(), (std::string("02:00:00:00:00:6") + digit).c_str());
  }
  const struct {
    const char* route;
    const char* gateways;
  } rows[] = {
      {"192.0.2.0/24 via 198.18.0.1 dev near", "198.18.0.1 01"},
      {"192.0.2.0/24 via 198.18.0.2 dev near table 77", "198.18.0.2 02"},
      {"192.0.2.0/24 nexthop via 198.18.0.1 dev near nexthop via 198.18.0.4 dev near", "198.18.0.1 01, 198.18.0.4 04"},
      {"192.0.2.0/24 via inet6 2001:db8::3 dev near", "2001:db8::3 63"},
      {"2001:db8:1::/48 via 2001:db8::5 dev near table 77", "2001:db8::5 65"},
      {"2001:db8:1::/48 nexthop via 2001:db8::1 dev near nexthop via 2001:db8::2 dev near",
       "2001:db8::1 61, 2001:db8::2 62"},
      {"192.0.2.0/24 dev near", ""},
      {"192.0.2.0/24 via 198.18.0.9 dev near", ""},  // no such neighbour
      {"blackhole 192.0.2.0/24", ""},
  };
  for (const auto& row : rows) {
    RunIp(std::string("route add ") + row.route);
    EXPECT_EQ(ReadSorted(UnicastScope::kGateways), row.gateways, row.route);
    RunIp(std::string("route del ") + row.route);
  }
}

NETWORK_TEST("an IPv6 neighbour that says it is a router is a gateway") {
  const Lan lan;
  AddNeighbor("2001:db8::1", "02:00:00:00:00:01");
  RunIp("neigh replace fe80::2 lladdr 02:00:00:00:00:02 dev near router nud stale");
  EXPECT_EQ(Read(UnicastScope::kGateways), "fe80::2 02");
}

NETWORK_TEST("a neighbour counts while its MAC address is believed to be right") {
  const Lan lan;
  const struct {
    const char* state;
    const char* neighbors;
  } rows[] = {
      {"reachable", "198.18.0.1 01"},
      {"stale", "198.18.0.1 01"},
      {"delay", "198.18.0.1 01"},
      {"probe", "198.18.0.1 01"},
      {"noarp", ""},
      {"permanent", "198.18.0.1 01"},
      {"failed", ""},
  };
  for (const auto& row : rows) {
    AddNeighbor("198.18.0.1", "02:00:00:00:00:01", row.state);
    EXPECT_EQ(Read(UnicastScope::kNeighbors), row.neighbors, row.state);
  }
}

NETWORK_TEST("of more neighbours than the limit the gateways are told, and of more gateways the first") {
  const Lan lan;
  std::string commands;
  for (int i = 1; i <= 90; i++) {
    const std::string number = std::to_string(i);
    commands += "neigh replace 198.18.0." + number + " lladdr 02:00:00:00:00:01 dev near nud stale\n";
    if (i > 80) commands += "route add 192.0.2." + number + " via 198.18.0." + number + " dev near\n";
  }
  RunIp(commands);
  const struct {
    UnicastScope scope;
    size_t limit;
    size_t gateways;
    size_t others;
  } rows[] = {
      {UnicastScope::kNeighbors, kNoLimit, 10, 80}, {UnicastScope::kNeighbors, 90, 10, 80},
      {UnicastScope::kNeighbors, 40, 10, 30},       {UnicastScope::kNeighbors, 10, 10, 0},
      {UnicastScope::kNeighbors, 7, 7, 0},          {UnicastScope::kGateways, kNoLimit, 10, 0},
      {UnicastScope::kGateways, 7, 7, 0},           {UnicastScope::kNeighbors, 0, 0, 0},
  };
  for (const auto& row : rows) {
    std::map<int, std::vector<UnicastTarget>> targets;
    EXPECT_EQ(ReadUnicastTargets(row.scope, row.limit, targets), 0);
    const auto& near = targets[static_cast<int>(if_nametoindex("near"))];
    const auto is_gateway = [](const UnicastTarget& target) { return target.address.bytes[3] > 80; };
    const std::string label = std::to_string(row.limit);
    EXPECT_EQ(near.size(), row.gateways + row.others, label);
    EXPECT_EQ(static_cast<size_t>(std::ranges::count_if(near, is_gateway)), row.gateways, label);
    EXPECT(std::ranges::is_partitioned(near, is_gateway));
  }
}

NETWORK_TEST("the targets are read while routes and neighbours change all the time") {
  const Lan lan;
  AddNeighbor("198.18.0.1", "02:00:00:00:00:01", "permanent");
  RunIp("route add default via 198.18.0.1 dev near");
  std::string churn;
  for (int i = 0; i < 2000; i++) {
    const std::string host = std::to_string(i / 250) + "." + std::to_string(i % 250);
    churn += "route replace 198.19." + host + " via 198.18.0.1 dev near\n";
    if (i < 150) churn += "neigh replace 198.18.0." + std::to_string(101 + i) + " lladdr 02:00:00:00:00:02 dev near\n";
  }
  churn += "route flush root 198.19.0.0/16";
  std::atomic<bool> done = false;
  std::thread changes([&] {
    while (!done) RunIp(churn);
  });
  for (int i = 0; i < 100; i++) EXPECT_EQ(Read(UnicastScope::kGateways), "198.18.0.1 01");
  done = true;
  changes.join();
}

}  // namespace garpoon::test
