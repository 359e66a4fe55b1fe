#include "../link_message.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>

#include "check.h"
#include "frames.h"
#include "netlink.h"

namespace garpoon::test {
namespace {

using Kind = LinkMessage::Kind;

const Bytes kName = Attribute(IFLA_IFNAME, "eth0");
const Bytes kAddress = Attribute(IFLA_ADDRESS, Hex("02000000000f"));
const Bytes kMaster = Attribute(IFLA_MASTER, Raw(uint32_t{9}));

Bytes PortOf(const char* kind) {
  return Attribute(IFLA_LINKINFO, Concat({Attribute(IFLA_INFO_KIND, "veth"), Attribute(IFLA_INFO_SLAVE_KIND, kind)}));
}

Bytes OfKind(const char* kind) { return Attribute(IFLA_LINKINFO, Attribute(IFLA_INFO_KIND, kind)); }

std::vector<LinkMessage> Parse(const Bytes& datagram) {
  std::vector<LinkMessage> messages;
  ParseLinkMessages(datagram, messages);
  return messages;
}

}  // namespace

TEST("a link is read with its name, flags and MAC address") {
  const auto messages = Parse(Message(RTM_NEWLINK, Concat({LinkInfo(7, 0x1043), kName, kAddress}), NLM_F_DUMP_INTR, 5));
  if (!EXPECT_EQ(messages.size(), 1u)) return;
  EXPECT(messages[0].link == (Link{7, "eth0", 0x1043, true, false, kOwnMac}));
  EXPECT_EQ(messages[0].kind, Kind::kPresent);
  EXPECT_EQ(messages[0].sequence, 5u);
  EXPECT(messages[0].interrupted);
}

TEST("a port of a bridge is enslaved, of a VRF it is a VRF port") {
  const struct {
    Bytes attributes;
    bool enslaved;
    bool vrf_port;
  } rows[] = {
      {{}, false, false},
      {kMaster, true, false},
      {Concat({kMaster, PortOf("bridge")}), true, false},
      {Concat({kMaster, PortOf("bond")}), true, false},
      {Concat({PortOf("vrf"), kMaster}), false, true},
      {PortOf("vrf"), false, false},
  };
  for (const auto& row : rows) {
    const auto messages = Parse(Message(RTM_NEWLINK, Concat({LinkInfo(7, 1), kName, kAddress, row.attributes})));
    if (!EXPECT_EQ(messages.size(), 1u)) continue;
    EXPECT_EQ(messages[0].link.enslaved, row.enslaved);
    EXPECT_EQ(messages[0].link.vrf_port, row.vrf_port);
  }
}

TEST("the interface below is the parent only if both hear the same, in this namespace") {
  const Bytes below = Attribute(IFLA_LINK, Raw(3));
  const Bytes elsewhere = Attribute(IFLA_LINK_NETNSID, Raw(0));
  const struct {
    const char* what;
    Bytes attributes;
    int parent;
  } rows[] = {
      {"macvlan", Concat({below, OfKind("macvlan")}), 3},
      {"macvtap", Concat({OfKind("macvtap"), below}), 3},
      {"ipvlan", Concat({below, OfKind("ipvlan")}), 3},
      {"ipvtap", Concat({below, OfKind("ipvtap")}), 3},
      {"vlan", Concat({below, OfKind("vlan")}), 0},
      {"veth", Concat({below, OfKind("veth")}), 0},
      {"hardware", below, 0},
      {"below it nothing", OfKind("macvlan"), 0},
      {"below it no index", Concat({Attribute(IFLA_LINK, Raw(-1)), OfKind("macvlan")}), 0},
      {"below it half an index", Concat({Attribute(IFLA_LINK, Hex("0300")), OfKind("macvlan")}), 0},
      {"in another namespace", Concat({below, OfKind("macvlan"), elsewhere}), 0},
      {"in another namespace, told first", Concat({elsewhere, below, OfKind("macvlan")}), 0},
  };
  for (const auto& row : rows) {
    const auto messages = Parse(Message(RTM_NEWLINK, Concat({LinkInfo(7, 1), kName, kAddress, row.attributes})));
    if (EXPECT_EQ(messages.size(), 1u, row.what)) EXPECT_EQ(messages[0].link.parent, row.parent, row.what);
  }
}

TEST("what is no Ethernet says so") {
  const Bytes long_address = Attribute(IFLA_ADDRESS, Hex("8000000000000000000000000000000000000001"));
  const struct {
    Bytes body;
    const char* what;
  } rows[] = {
      {Concat({LinkInfo(7, 1, AF_UNSPEC, ARPHRD_NONE), kName}), "tunnel"},
      {Concat({LinkInfo(7, 1, AF_UNSPEC, ARPHRD_INFINIBAND), kName, long_address}), "InfiniBand"},
      {Concat({LinkInfo(7, 1), kName}), "no address"},
  };
  for (const auto& row : rows) {
    const auto messages = Parse(Message(RTM_NEWLINK, row.body));
    if (EXPECT_EQ(messages.size(), 1u, row.what)) EXPECT(!messages[0].link.ethernet);
  }
}

TEST("a removal, the end of a dump and an error are told apart") {
  const nlmsgerr error{-EBUSY, {}};
  const nlmsgerr acknowledgement{0, {}};
  ifaddrmsg link_local{AF_INET6, 64, 0, RT_SCOPE_LINK, 7};
  ifaddrmsg global = link_local;
  global.ifa_scope = RT_SCOPE_UNIVERSE;
  const auto messages = Parse(Concat({
      Message(RTM_DELLINK, LinkInfo(7, 0)),
      Message(NLMSG_DONE, Raw(0)),
      Message(NLMSG_DONE, Raw(-EOPNOTSUPP)),
      Message(NLMSG_ERROR, Raw(error)),
      Message(NLMSG_ERROR, Raw(acknowledgement)),
      Message(RTM_NEWADDR, Raw(link_local)),
      Message(RTM_NEWADDR, Raw(global)),
      Message(RTM_NEWROUTE, Raw(0)),
  }));
  if (!EXPECT_EQ(messages.size(), 5u)) return;
  EXPECT(messages[0].kind == Kind::kGone && messages[0].link.index == 7);
  EXPECT(messages[1].kind == Kind::kDumpDone);
  EXPECT(messages[2].kind == Kind::kDumpFailed && messages[2].error == EOPNOTSUPP);
  EXPECT(messages[3].kind == Kind::kDumpFailed && messages[3].error == EBUSY);
  EXPECT(messages[4].kind == Kind::kLinkLocal && messages[4].link.index == 7);
}

TEST("leaving a bridge does not remove the interface") {
  EXPECT_EQ(Parse(Message(RTM_DELLINK, Concat({LinkInfo(7, 1, AF_BRIDGE), kName}))).size(), 0u);
}

TEST("a message cut off anywhere is passed over") {
  const Bytes whole = Message(RTM_NEWLINK, Concat({LinkInfo(7, 1), kName, kAddress, kMaster, PortOf("vrf")}));
  for (size_t length = 0; length < whole.size(); length++) {
    EXPECT_EQ(Parse(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length))).size(), 0u);
    // The same, but the header agrees that this is all there is.
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    if (length >= 4) std::memcpy(cut.data(), &length, 4);
    for (const auto& message : Parse(cut)) EXPECT_EQ(message.link.index, 7);
  }
}

}  // namespace garpoon::test
