#include "link_message.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "netlink_reader.h"

namespace garpoon {
namespace {

using namespace netlink;

constexpr size_t kMaxName = 15;

std::string_view Text(Bytes value) {
  const auto* text = reinterpret_cast<const char*>(value.data());
  return {text, strnlen(text, value.size())};
}

struct Kinds {
  std::string_view own;   // "macvlan", "vlan", ...; empty for hardware
  std::string_view port;  // of what it is a port of: "bridge", "vrf", ...
};

Kinds ParseKinds(Bytes link_info) {
  Kinds kinds;
  ForEachAttribute(link_info, [&kinds](int type, Bytes value) {
    if (type == IFLA_INFO_KIND) kinds.own = Text(value);
    if (type == IFLA_INFO_SLAVE_KIND) kinds.port = Text(value);
  });
  return kinds;
}

// Of the kinds that have an interface below them, those that hear what it hears. A VLAN is another LAN.
bool SharesLan(std::string_view kind) {
  constexpr std::array<std::string_view, 4> kSharing = {"macvlan", "macvtap", "ipvlan", "ipvtap"};
  return std::ranges::find(kSharing, kind) != kSharing.end();
}

std::optional<LinkMessage::Kind> ParseLink(bool gone, Bytes body, Link& link) {
  const auto info = Front<ifinfomsg>(body);
  // A message of family AF_BRIDGE tells of a bridge port; its RTM_DELLINK does not mean that the interface is gone.
  if (!info || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) return std::nullopt;
  link.index = info->ifi_index;
  link.flags = info->ifi_flags;
  if (gone) return LinkMessage::Kind::kGone;

  bool has_master = false;
  bool has_mac = false;
  int below = 0;
  bool below_is_elsewhere = false;  // `below` is an index in another network namespace
  Kinds kinds;
  ForEachAttribute(After(body, sizeof(ifinfomsg)), [&](int type, Bytes value) {
    if (type == IFLA_IFNAME) link.name = Text(value).substr(0, kMaxName);
    if (type == IFLA_MASTER) has_master = true;
    if (type == IFLA_LINK) below = Front<int>(value).value_or(0);
    if (type == IFLA_LINK_NETNSID) below_is_elsewhere = true;
    if (type == IFLA_LINKINFO) kinds = ParseKinds(value);
    if (type == IFLA_ADDRESS && value.size() == link.mac.bytes.size()) {
      std::ranges::copy(value, link.mac.bytes.begin());
      has_mac = true;
    }
  });
  if (link.name.empty()) return std::nullopt;
  link.ethernet = info->ifi_type == ARPHRD_ETHER && has_mac;
  link.vrf_port = has_master && kinds.port == "vrf";
  link.enslaved = has_master && !link.vrf_port;
  if (SharesLan(kinds.own) && !below_is_elsewhere) link.parent = std::max(below, 0);
  return LinkMessage::Kind::kPresent;
}

std::optional<LinkMessage::Kind> ParseAddress(Bytes body, Link& link) {
  const auto info = Front<ifaddrmsg>(body);
  if (!info || info->ifa_family != AF_INET6 || info->ifa_scope != RT_SCOPE_LINK) return std::nullopt;
  link.index = static_cast<int>(info->ifa_index);
  return LinkMessage::Kind::kLinkLocal;
}

}  // namespace

void ParseLinkMessages(std::span<const uint8_t> datagram, std::vector<LinkMessage>& out) {
  ForEachMessage(datagram, [&out](const nlmsghdr& header, Bytes body) {
    LinkMessage message{};
    message.sequence = header.nlmsg_seq;
    message.interrupted = (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    std::optional<LinkMessage::Kind> kind;
    switch (header.nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        kind = ParseLink(header.nlmsg_type == RTM_DELLINK, body, message.link);
        break;
      case RTM_NEWADDR:
        kind = ParseAddress(body, message.link);
        break;
      case NLMSG_DONE:
        message.error = ErrorOf(body);
        kind = message.error == 0 ? LinkMessage::Kind::kDumpDone : LinkMessage::Kind::kDumpFailed;
        break;
      case NLMSG_ERROR:
        message.error = ErrorOf(body);
        if (message.error != 0) kind = LinkMessage::Kind::kDumpFailed;
        break;
      default:
        break;
    }
    if (!kind) return;
    message.kind = *kind;
    out.push_back(std::move(message));
  });
}

}  // namespace garpoon
