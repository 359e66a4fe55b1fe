#include "../link.h"

#include <net/if.h>

#include "../interface_pattern.h"
#include "../link_monitor.h"
#include "../link_table.h"
#include "../port.h"
#include "check.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

constexpr uint32_t kLowerUp = 1 << 16;
constexpr uint32_t kWorking = IFF_UP | kLowerUp | IFF_BROADCAST | IFF_MULTICAST;

Link Ethernet(int index, const char* name, uint32_t flags = kWorking) {
  return {index, name, flags, true, false, kOwnMac};
}

Link VrfPort(int index, const char* name) {
  Link link = Ethernet(index, name);
  link.vrf_port = true;
  return link;
}

Link ChildOf(int parent, int index, const char* name) {
  Link link = Ethernet(index, name);
  link.parent = parent;
  return link;
}

LinkMessage Present(Link link) { return {LinkMessage::Kind::kPresent, 0, false, 0, std::move(link)}; }
LinkMessage Gone(int index) { return {LinkMessage::Kind::kGone, 0, false, 0, Ethernet(index, "")}; }

std::string Names(const std::vector<LinkChange>& changes) {
  std::string text;
  for (const auto& change : changes) {
    const std::string kind = *Name(change.kind) == '\0' ? "other" : Name(change.kind);
    text += (text.empty() ? "" : " ") + change.name + ":" + kind;
  }
  return text;
}

}  // namespace

TEST("an interface is eligible or has one reason why not") {
  Link enslaved = Ethernet(1, "eth0");
  enslaved.enslaved = true;
  Link tunnel = Ethernet(1, "tun0", kWorking | IFF_POINTOPOINT | IFF_NOARP);
  tunnel.ethernet = false;
  const struct {
    Link link;
    Ineligible reason;
  } rows[] = {
      {Ethernet(1, "eth0"), Ineligible::kNone},
      {Ethernet(1, "eth0", IFF_UP | IFF_BROADCAST), Ineligible::kNone},  // without carrier, but fit for it
      {Ethernet(1, "eth0", IFF_BROADCAST), Ineligible::kDown},
      {Ethernet(1, "lo", IFF_UP | IFF_LOOPBACK), Ineligible::kLoopback},
      {Ethernet(1, "dummy0", kWorking | IFF_NOARP), Ineligible::kNoArp},
      {Ethernet(1, "gre0", kWorking | IFF_POINTOPOINT), Ineligible::kPointToPoint},
      {tunnel, Ineligible::kNotEthernet},
      {enslaved, Ineligible::kEnslaved},
      {Ethernet(1, "veth12ab"), Ineligible::kExcluded},
      {Ethernet(1, "cni0"), Ineligible::kExcluded},
  };
  const std::vector<std::string> exclude = {"cni0", "veth*"};
  for (const auto& row : rows) EXPECT_EQ(WhyIneligible(row.link, exclude), row.reason, row.link.name);
}

TEST("an interface belongs to a set unless its parent does") {
  const Link eth0 = Ethernet(1, "eth0"), macvlan0 = ChildOf(1, 2, "macvlan0");
  const Link red = VrfPort(3, "red"), macvlan1 = ChildOf(3, 4, "macvlan1");
  const struct {
    const char* what;
    InterfaceSet set;
    const Link& link;
    const Link* parent;
    bool belongs;
  } rows[] = {
      {"any interface, all", {}, eth0, nullptr, true},
      {"any interface, named", {"eth0"}, eth0, nullptr, true},
      {"any interface, another named", {"eth1"}, eth0, nullptr, false},
      {"VRF port, all", {}, red, nullptr, false},
      {"VRF port, named", {"red"}, red, nullptr, true},
      {"VRF port, matched", {"r*"}, red, nullptr, true},
      {"child, all", {}, macvlan0, &eth0, false},
      {"child, named alone", {"macvlan0"}, macvlan0, &eth0, true},
      {"child, matched alone", {"mac*"}, macvlan0, &eth0, true},
      {"child, named with its parent", {"macvlan0", "eth0"}, macvlan0, &eth0, false},
      {"child, matched with its parent", {"*0"}, macvlan0, &eth0, false},
      {"child, its parent named", {"eth0"}, macvlan0, &eth0, false},
      {"child of no eligible parent, all", {}, macvlan0, nullptr, true},
      {"child of no eligible parent, both named", {"macvlan0", "eth0"}, macvlan0, nullptr, true},
      {"child of a VRF port, all", {}, macvlan1, &red, true},
      {"child of a VRF port, both named", {"macvlan1", "red"}, macvlan1, &red, false},
  };
  for (const auto& row : rows) EXPECT_EQ(BelongsTo(row.set, row.link, row.parent), row.belongs, row.what);
}

TEST("an interface that is left out of all of them has one reason why") {
  const Link eth0 = Ethernet(1, "eth0"), red = VrfPort(3, "red");
  Link both = ChildOf(1, 5, "macvlan0");
  both.vrf_port = true;
  const struct {
    Link link;
    const Link* parent;
    const char* reason;
  } rows[] = {
      {eth0, nullptr, ""},
      {red, nullptr, "vrf-member"},
      {ChildOf(1, 2, "macvlan0"), &eth0, "shares-parent"},
      {ChildOf(1, 2, "macvlan0"), nullptr, ""},
      {ChildOf(3, 4, "macvlan1"), &red, ""},
      {both, &eth0, "vrf-member"},
  };
  for (const auto& row : rows) EXPECT_EQ(std::string(Name(WhyOnlyByName(row.link, row.parent))), row.reason);
}

TEST("only what could be an interface's name is a pattern") {
  const std::string long_name(16, 'a'), longest_glob = std::string(63, 'a') + '*';
  const struct {
    std::string pattern;
    bool valid;
  } rows[] = {
      {"eth0", true},
      {"enp0s31f6", true},
      {"eth0.100", true},
      {"a@b", true},
      {"eth*", true},
      {"eth[01]", true},
      {std::string(15, 'a'), true},
      {longest_glob, true},
      {"", false},
      {".", false},
      {"..", false},
      {"a/b", false},
      {"a b", false},
      {"a\tb", false},
      {"a:1", false},
      {long_name, false},
      {"eth\n", false},
      {std::string("a\0b", 3), false},
      {longest_glob + "a", false},
  };
  for (const auto& row : rows) EXPECT_EQ(IsInterfacePattern(row.pattern), row.valid, row.pattern);
}

TEST("a glob matches names, a name only itself") {
  const std::vector<std::string> patterns = {"eth0", "bond*", "enp[0-3]s0"};
  const struct {
    const char* name;
    bool matches;
  } rows[] = {{"eth0", true}, {"eth01", false}, {"bond0.5", true}, {"enp2s0", true}, {"enp4s0", false}, {"", false}};
  for (const auto& row : rows) EXPECT_EQ(MatchesAny(patterns, row.name), row.matches, row.name);
}

TEST("the table tells each change once") {
  Link renamed = Ethernet(2, "wan0");
  Link moved = renamed;
  moved.mac = kHostMac;
  Link enslaved = moved;
  enslaved.enslaved = true;
  Link member = moved;
  member.vrf_port = true;
  Link off = member;
  off.flags = 0;
  const struct {
    LinkMessage message;
    const char* changes;
  } rows[] = {
      {Present(Ethernet(2, "eth0", IFF_UP)), "eth0:added"},
      {Present(Ethernet(2, "eth0", IFF_UP)), ""},
      {Present(Ethernet(2, "eth0")), "eth0:up"},
      {Present(renamed), "wan0:renamed"},
      {Present(moved), "wan0:mac"},
      {Present(enslaved), "wan0:other"},
      {Present(member), "wan0:other"},
      {Present(off), "wan0:down"},
      {Gone(2), "wan0:removed"},
      {Gone(2), ""},
      {Present(Ethernet(2, "eth0")), "eth0:added eth0:up"},
  };
  LinkTable table;
  for (const auto& row : rows) {
    std::vector<LinkChange> changes;
    table.Apply(row.message, changes);
    EXPECT_EQ(Names(changes), row.changes);
  }
}

TEST("a parent counts while it is there and eligible") {
  LinkTable table;
  std::vector<LinkChange> changes;
  const Link child = ChildOf(1, 2, "macvlan0");
  const auto parent_of_child = [&](const std::vector<std::string>& exclude) {
    const Link* parent = table.EligibleParent(child, exclude);
    return parent == nullptr ? 0 : parent->index;
  };
  const struct {
    LinkMessage message;
    std::vector<std::string> exclude;
    int parent;
  } rows[] = {
      {Present(child), {}, 0},
      {Present(Ethernet(1, "eth0")), {}, 1},
      {Present(Ethernet(1, "eth0")), {"eth*"}, 0},
      {Present(Ethernet(1, "eth0", IFF_BROADCAST)), {}, 0},
      {Present(Ethernet(1, "eth0")), {}, 1},
      {Gone(1), {}, 0},
  };
  for (const auto& row : rows) {
    table.Apply(row.message, changes);
    EXPECT_EQ(parent_of_child(row.exclude), row.parent);
    EXPECT(table.EligibleParent(Ethernet(3, "eth1"), row.exclude) == nullptr);
  }
}

TEST("the children of an interface are found, also when it is gone") {
  LinkTable table;
  std::vector<LinkChange> changes;
  for (const Link& link : {Ethernet(1, "eth0"), ChildOf(1, 2, "macvlan0"), ChildOf(9, 3, "macvlan1"),
                           ChildOf(1, 4, "macvlan2"), Ethernet(5, "eth1")}) {
    table.Apply(Present(link), changes);
  }
  EXPECT(table.ChildrenOf(1) == (std::vector{2, 4}));
  table.Apply(Gone(1), changes);
  EXPECT(table.ChildrenOf(1) == (std::vector{2, 4}));
  table.Apply(Gone(2), changes);
  EXPECT(table.ChildrenOf(1) == (std::vector{4}));
  EXPECT(table.ChildrenOf(5).empty());
}

TEST("a dump removes what it does not mention") {
  LinkTable table;
  std::vector<LinkChange> changes;
  for (const int index : {1, 2, 3}) table.Apply(Present(Ethernet(index, "eth", 0)), changes);
  changes.clear();
  table.BeginDump();
  table.Apply(Present(Ethernet(1, "eth", 0)), changes);
  table.Apply(Present(Ethernet(4, "new", 0)), changes);  // a notification that came during the dump
  table.EndDump(changes);
  EXPECT_EQ(Names(changes), "new:added eth:removed eth:removed");
  EXPECT_EQ(table.links().size(), 2u);
}

NETWORK_TEST("the kernel tells which interface is below a macvlan, and not of a cable's far end") {
  const Cable cable;
  RunIp("link add macvlan0 link near type macvlan mode bridge\nlink set macvlan0 up");
  RunIp("link add macvtap0 link near type macvtap\nlink set macvtap0 up");
  LinkMonitor monitor;
  if (!EXPECT_EQ(monitor.Open(), 0)) return;
  PackedFault fault;
  const auto table = AddressTable::Create({{test::Ip("198.18.0.5"), 0}, {test::Ip("198.18.0.6"), 1}},
                                          {InterfaceSet{}, InterfaceSet{"macv*"}}, fault);
  const struct {
    const char* name;
    const char* parent;
    std::vector<uint8_t> announces;
  } rows[] = {
      {"near", "", {1, 0}},
      {"far", "", {1, 0}},
      {"macvlan0", "near", {0, 1}},
      {"macvtap0", "near", {0, 1}},
  };
  for (const auto& row : rows) {
    const Link* link = monitor.table().Find(static_cast<int>(if_nametoindex(row.name)));
    if (!EXPECT(link != nullptr)) continue;
    const Link* parent = monitor.table().EligibleParent(*link, {});
    EXPECT_EQ(parent == nullptr ? "" : parent->name, row.parent, row.name);
    EXPECT(WantsOf(*table, *link, parent).announces == row.announces);
  }
}

}  // namespace garpoon::test
