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

TEST("a port of a bridge is enslaved, of a VRF it is not") {
  const struct {
    Bytes attributes;
    bool enslaved;
  } rows[] = {
      {{}, false},
      {kMaster, true},
      {Concat({kMaster, PortOf("bridge")}), true},
      {Concat({kMaster, PortOf("bond")}), true},
      {Concat({PortOf("vrf"), kMaster}), false},
  };
  for (const auto& row : rows) {
    const auto messages = Parse(Message(RTM_NEWLINK, Concat({LinkInfo(7, 1), kName, kAddress, row.attributes})));
    if (EXPECT_EQ(messages.size(), 1u)) EXPECT_EQ(messages[0].link.enslaved, row.enslaved);
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
      Message(NLMSG_ERROR, Raw(error)),
      Message(NLMSG_ERROR, Raw(acknowledgement)),
      Message(RTM_NEWADDR, Raw(link_local)),
      Message(RTM_NEWADDR, Raw(global)),
      Message(RTM_NEWROUTE, Raw(0)),
  }));
  if (!EXPECT_EQ(messages.size(), 4u)) return;
  EXPECT(messages[0].kind == Kind::kGone && messages[0].link.index == 7);
  EXPECT(messages[1].kind == Kind::kDumpDone);
  EXPECT(messages[2].kind == Kind::kDumpFailed && messages[2].error == EBUSY);
  EXPECT(messages[3].kind == Kind::kLinkLocal && messages[3].link.index == 7);
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
