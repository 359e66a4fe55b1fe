#include "../neighbor_message.h"

#include <linux/neighbour.h>

#include <cerrno>
#include <optional>

#include "check.h"
#include "frames.h"
#include "netlink.h"

namespace garpoon::test {
namespace {

constexpr char kMac[] = "020000000001";

NeighborDump Parse(const Bytes& datagram) {
  NeighborDump dump;
  ParseNeighborMessages(datagram, dump);
  return dump;
}

Bytes Raw(const IpAddress& address) {
  return Bytes(address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(address.size()));
}

uint8_t AddressFamily(const IpAddress& address) { return address.family == Family::kIpv4 ? AF_INET : AF_INET6; }

struct NeighborFields {
  const char* address = "198.18.0.1";
  const char* mac = kMac;
  uint16_t state = NUD_REACHABLE;
  uint8_t flags = 0;
  uint8_t type = RTN_UNICAST;
  int index = 7;
};

Bytes NeighborMessage(const NeighborFields& fields) {
  const IpAddress address = test::Ip(fields.address);
  ndmsg info{};
  info.ndm_family = AddressFamily(address);
  info.ndm_ifindex = fields.index;
  info.ndm_state = fields.state;
  info.ndm_flags = fields.flags;
  info.ndm_type = fields.type;
  return Message(RTM_NEWNEIGH,
                 Concat({test::Raw(info), Attribute(NDA_DST, Raw(address)), Attribute(NDA_LLADDR, Hex(fields.mac))}));
}

Bytes RouteInfo(uint8_t family, uint8_t type = RTN_UNICAST) {
  rtmsg info{};
  info.rtm_family = family;
  info.rtm_type = type;
  return test::Raw(info);
}

Bytes Gateway(const char* address) { return Attribute(RTA_GATEWAY, Raw(test::Ip(address))); }
Bytes Interface(int index) { return Attribute(RTA_OIF, test::Raw(index)); }

Bytes Via(const char* address, std::optional<uint16_t> family = {}) {
  Bytes value = test::Raw(family.value_or(AddressFamily(test::Ip(address))));
  const Bytes bytes = Raw(test::Ip(address));
  value.insert(value.end(), bytes.begin(), bytes.end());
  return Attribute(RTA_VIA, value);
}

Bytes NextHop(int index, const Bytes& attributes, std::optional<uint16_t> length = {}) {
  rtnexthop hop{};
  hop.rtnh_len = length.value_or(static_cast<uint16_t>(sizeof hop + attributes.size()));
  hop.rtnh_ifindex = index;
  return Concat({test::Raw(hop), attributes});
}

Bytes Route(const Bytes& attributes, uint8_t family = AF_INET, uint8_t type = RTN_UNICAST) {
  return Message(RTM_NEWROUTE, Concat({RouteInfo(family, type), attributes}));
}

// "7 198.18.0.1 9 fe80::1"
std::string Gateways(const NeighborDump& dump) {
  std::string text;
  for (const auto& [index, addresses] : dump.gateways) {
    for (const IpAddress& address : addresses) text += std::to_string(index) + " " + Format(address) + " ";
  }
  return text.substr(0, text.empty() ? 0 : text.size() - 1);
}

}  // namespace

TEST("a neighbour is taken when a frame sent to it should arrive") {
  const struct {
    const char* what;
    NeighborFields fields;
    bool taken;
  } rows[] = {
      {"reachable", {}, true},
      {"stale", {.state = NUD_STALE}, true},
      {"delay", {.state = NUD_DELAY}, true},
      {"probe", {.state = NUD_PROBE}, true},
      {"permanent", {.state = NUD_PERMANENT}, true},
      {"IPv6", {.address = "2001:db8::1"}, true},
      {"IPv6 link-local", {.address = "fe80::1"}, true},
      {"incomplete", {.state = NUD_INCOMPLETE}, false},
      {"failed", {.state = NUD_FAILED}, false},
      {"no ARP", {.state = NUD_NOARP}, false},
      {"no state", {.state = NUD_NONE}, false},
      {"proxied", {.flags = NTF_PROXY}, false},
      {"broadcast address", {.address = "198.18.0.255", .type = RTN_BROADCAST}, false},
      {"own address", {.type = RTN_LOCAL}, false},
      {"multicast address", {.address = "224.0.0.1"}, false},
      {"IPv6 multicast address", {.address = "ff02::1"}, false},
      {"no address", {.address = "0.0.0.0"}, false},
      {"IPv6 no address", {.address = "::"}, false},
      {"broadcast MAC address", {.mac = "ffffffffffff"}, false},
      {"multicast MAC address", {.mac = "01005e000001"}, false},
      {"zero MAC address", {.mac = "000000000000"}, false},
      {"short MAC address", {.mac = "0200000000"}, false},
      {"InfiniBand address", {.mac = "8000000000000000000000000000000000000001"}, false},
      {"empty MAC address", {.mac = ""}, false},
      {"no interface", {.index = 0}, false},
      {"negative interface", {.index = -1}, false},
  };
  for (const auto& row : rows) {
    const NeighborDump dump = Parse(NeighborMessage(row.fields));
    EXPECT_EQ(dump.entries, 1u, row.what);
    if (!EXPECT_EQ(dump.neighbors.size(), row.taken ? 1u : 0u, row.what) || !row.taken) continue;
    const auto& [index, neighbors] = *dump.neighbors.begin();
    EXPECT_EQ(index, 7, row.what);
    const auto found = neighbors.find(test::Ip(row.fields.address));
    if (!EXPECT(found != neighbors.end())) continue;
    EXPECT(found->second == (NeighborDump::Neighbor{{{2, 0, 0, 0, 0, 1}}, false}));
  }
}

TEST("a neighbour of IPv6 may be a router, whatever the routes say") {
  const struct {
    const char* address;
    uint8_t flags;
    bool router;
  } rows[] = {{"fe80::1", 0, false}, {"fe80::1", NTF_ROUTER, true}, {"198.18.0.1", NTF_ROUTER, false}};
  for (const auto& row : rows) {
    const NeighborDump dump = Parse(NeighborMessage({.address = row.address, .flags = row.flags}));
    EXPECT_EQ(dump.neighbors.at(7).at(test::Ip(row.address)).router, row.router, row.address);
  }
}

TEST("a neighbour told twice counts as told last") {
  const NeighborDump dump =
      Parse(Concat({NeighborMessage({}), NeighborMessage({.mac = "020000000002"}), NeighborMessage({.index = 8})}));
  EXPECT_EQ(dump.neighbors.size(), 2u);
  EXPECT_EQ(dump.neighbors.at(7).size(), 1u);
  EXPECT_EQ(dump.neighbors.at(7).at(test::Ip("198.18.0.1")).mac.bytes[5], 2);
}

TEST("an address that contradicts its family is passed over") {
  const Bytes mac = Attribute(NDA_LLADDR, Hex(kMac));
  const struct {
    const char* what;
    uint8_t family;
    Bytes attributes;
  } rows[] = {
      {"IPv4 in IPv6", AF_INET6, Attribute(NDA_DST, Hex("c6120001"))},
      {"IPv6 in IPv4", AF_INET, Attribute(NDA_DST, Hex("20010db8000000000000000000000001"))},
      {"3 bytes", AF_INET, Attribute(NDA_DST, Hex("c61200"))},
      {"bridge", AF_BRIDGE, Attribute(NDA_DST, Hex("c6120001"))},
      {"no address", AF_INET, {}},
  };
  for (const auto& row : rows) {
    ndmsg info{};
    info.ndm_family = row.family;
    info.ndm_ifindex = 7;
    info.ndm_state = NUD_REACHABLE;
    info.ndm_type = RTN_UNICAST;
    const auto dump = Parse(Message(RTM_NEWNEIGH, Concat({test::Raw(info), row.attributes, mac})));
    EXPECT_EQ(dump.neighbors.size(), 0u, row.what);
  }
}

TEST("the gateways are the next hops of unicast routes") {
  const Bytes two = Concat({NextHop(7, Gateway("198.18.0.1")), NextHop(9, Gateway("198.18.1.1"))});
  const struct {
    const char* what;
    Bytes route;
    const char* gateways;
  } rows[] = {
      {"IPv4", Route(Concat({Gateway("198.18.0.1"), Interface(7)})), "7 198.18.0.1"},
      {"IPv6", Route(Concat({Interface(7), Gateway("fe80::1")}), AF_INET6), "7 fe80::1"},
      {"IPv4 by IPv6", Route(Concat({Via("fe80::1"), Interface(7)})), "7 fe80::1"},
      {"multipath", Route(Attribute(RTA_MULTIPATH, two)), "7 198.18.0.1 9 198.18.1.1"},
      {"multipath by IPv6", Route(Attribute(RTA_MULTIPATH, NextHop(7, Via("fe80::1")))), "7 fe80::1"},
      {"multipath, one direct", Route(Attribute(RTA_MULTIPATH, Concat({NextHop(7, {}), two}))),
       "7 198.18.0.1 9 198.18.1.1"},
      {"direct", Route(Interface(7)), ""},
      {"no interface", Route(Gateway("198.18.0.1")), ""},
      {"negative interface", Route(Concat({Gateway("198.18.0.1"), Interface(-7)})), ""},
      {"half an interface", Route(Concat({Gateway("198.18.0.1"), Attribute(RTA_OIF, Hex("0700"))})), ""},
      {"blackhole", Route(Concat({Gateway("198.18.0.1"), Interface(7)}), AF_INET, RTN_BLACKHOLE), ""},
      {"multicast", Route(Concat({Gateway("198.18.0.1"), Interface(7)}), AF_INET, RTN_MULTICAST), ""},
      {"no gateway address", Route(Concat({Gateway("0.0.0.0"), Interface(7)})), ""},
      {"gateway of the other family", Route(Concat({Gateway("fe80::1"), Interface(7)})), ""},
      {"MPLS", Route(Concat({Gateway("198.18.0.1"), Interface(7)}), AF_MPLS), ""},
      {"via of no family", Route(Concat({Via("198.18.0.1", 0), Interface(7)})), ""},
      {"via of the other family", Route(Concat({Via("198.18.0.1", AF_INET6), Interface(7)})), ""},
      {"via of one byte", Route(Concat({Attribute(RTA_VIA, Hex("02")), Interface(7)})), ""},
      {"next hop too short", Route(Attribute(RTA_MULTIPATH, NextHop(7, Gateway("198.18.0.1"), 7))), ""},
      {"next hop of length 0", Route(Attribute(RTA_MULTIPATH, NextHop(7, Gateway("198.18.0.1"), 0))), ""},
      {"next hop too long", Route(Attribute(RTA_MULTIPATH, NextHop(7, Gateway("198.18.0.1"), 17))), ""},
      {"half a next hop", Route(Attribute(RTA_MULTIPATH, Hex("08000000"))), ""},
  };
  for (const auto& row : rows) EXPECT_EQ(Gateways(Parse(row.route)), row.gateways, row.what);
}

TEST("a dump ends, fails or is interrupted") {
  const struct {
    const char* what;
    Bytes datagram;
    bool done;
    int error;
    bool interrupted;
  } rows[] = {
      {"going on", NeighborMessage({}), false, 0, false},
      {"end", Message(NLMSG_DONE, test::Raw(0)), true, 0, false},
      {"end without a result", Message(NLMSG_DONE, {}), true, 0, false},
      {"failed at the end", Message(NLMSG_DONE, test::Raw(-EOPNOTSUPP)), true, EOPNOTSUPP, false},
      {"refused", Message(NLMSG_ERROR, test::Raw(nlmsgerr{-EPERM, {}})), true, EPERM, false},
      {"absurd error", Message(NLMSG_ERROR, test::Raw(INT32_MIN)), true, 4095, false},
      {"interrupted", Message(NLMSG_DONE, test::Raw(0), NLM_F_DUMP_INTR), true, 0, true},
      {"interrupted at a route", Message(RTM_NEWROUTE, RouteInfo(AF_INET), NLM_F_DUMP_INTR), false, 0, true},
      {"something else", Message(RTM_NEWLINK, LinkInfo(7, 1)), false, 0, false},
  };
  for (const auto& row : rows) {
    const NeighborDump dump = Parse(row.datagram);
    EXPECT_EQ(dump.done, row.done, row.what);
    EXPECT_EQ(dump.error, row.error, row.what);
    EXPECT_EQ(dump.interrupted, row.interrupted, row.what);
  }
}

TEST("a multipath route counts with each of its next hops") {
  const Bytes two = Concat({NextHop(7, Gateway("198.18.0.1")), NextHop(9, Gateway("198.18.1.1"))});
  const auto dump = Parse(Concat({Route(Attribute(RTA_MULTIPATH, two)), Route(Interface(7)), NeighborMessage({})}));
  EXPECT_EQ(dump.entries, 5u);
}

TEST("a message about a neighbour or a route that is cut off anywhere is passed over") {
  const Bytes two = Concat({NextHop(7, Gateway("198.18.0.1")), NextHop(7, Gateway("198.18.0.2"))});
  for (const Bytes& whole : {NeighborMessage({}), Route(Attribute(RTA_MULTIPATH, two))}) {
    EXPECT(Parse(whole).neighbors.size() + Parse(whole).gateways.size() == 1);
    for (size_t length = 0; length < whole.size(); length++) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
      EXPECT_EQ(Parse(cut).entries, 0u);
      // The same, but the header agrees that this is all there is.
      if (length >= 4) std::memcpy(cut.data(), &length, 4);
      const NeighborDump dump = Parse(cut);
      EXPECT(dump.neighbors.empty() || length >= whole.size() - 2);  // without the padding it is complete
      EXPECT(dump.gateways.empty());
    }
  }
}

}  // namespace garpoon::test
