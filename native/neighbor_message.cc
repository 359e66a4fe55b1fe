#include "neighbor_message.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "netlink_reader.h"

namespace garpoon {
namespace {

using namespace netlink;

constexpr uint16_t kUsableStates = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

// An address that one host has, or nothing.
std::optional<IpAddress> ReadAddress(int family, Bytes value) {
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  IpAddress address{family == AF_INET ? Family::kIpv4 : Family::kIpv6, {}};
  if (value.size() != address.size()) return std::nullopt;
  std::ranges::copy(value, address.bytes.begin());
  if (address.IsUnspecified() || address.IsMulticast()) return std::nullopt;
  return address;
}

std::optional<MacAddress> ReadMac(Bytes value) {
  MacAddress mac;
  if (value.size() != mac.bytes.size()) return std::nullopt;
  std::ranges::copy(value, mac.bytes.begin());
  if (mac.IsMulticast() || mac.IsZero()) return std::nullopt;
  return mac;
}

void ParseNeighbor(Bytes body, NeighborDump& dump) {
  const auto info = Front<ndmsg>(body);
  // The kernel knows by the type which addresses are broadcast addresses of a subnet, or its own.
  if (!info || info->ndm_ifindex <= 0 || info->ndm_type != RTN_UNICAST) return;
  if ((info->ndm_state & kUsableStates) == 0 || (info->ndm_flags & NTF_PROXY) != 0) return;
  std::optional<IpAddress> address;
  std::optional<MacAddress> mac;
  ForEachAttribute(After(body, sizeof(ndmsg)), [&](int type, Bytes value) {
    if (type == NDA_DST) address = ReadAddress(info->ndm_family, value);
    if (type == NDA_LLADDR) mac = ReadMac(value);
  });
  if (!address || !mac) return;
  const bool router = address->family == Family::kIpv6 && (info->ndm_flags & NTF_ROUTER) != 0;
  dump.neighbors[info->ndm_ifindex][*address] = {*mac, router};
}

// Of an RTA_VIA, a struct rtvia: the gateway of an IPv4 route may have an IPv6 address (RFC 8950).
std::optional<IpAddress> ReadVia(Bytes value) {
  const auto family = Front<uint16_t>(value);
  if (!family) return std::nullopt;
  return ReadAddress(*family, value.subspan(sizeof *family));
}

// Adds the gateway among the attributes of a route, or of one of its next hops.
void AddGateway(int family, int interface_index, Bytes attributes, NeighborDump& dump) {
  std::optional<IpAddress> gateway;
  ForEachAttribute(attributes, [&](int type, Bytes value) {
    if (type == RTA_GATEWAY) gateway = ReadAddress(family, value);
    if (type == RTA_VIA) gateway = ReadVia(value);
  });
  if (gateway && interface_index > 0) dump.gateways[interface_index].insert(*gateway);
}

void ParseNextHops(int family, Bytes rest, NeighborDump& dump) {
  while (const auto hop = Front<rtnexthop>(rest)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > rest.size()) return;
    dump.entries += 1;
    AddGateway(family, hop->rtnh_ifindex, rest.subspan(sizeof(rtnexthop), hop->rtnh_len - sizeof(rtnexthop)), dump);
    rest = After(rest, hop->rtnh_len);
  }
}

void ParseRoute(Bytes body, NeighborDump& dump) {
  const auto info = Front<rtmsg>(body);
  if (!info || info->rtm_type != RTN_UNICAST) return;
  const Bytes attributes = After(body, sizeof(rtmsg));
  int interface_index = 0;
  ForEachAttribute(attributes, [&](int type, Bytes value) {
    if (type == RTA_OIF) interface_index = Front<int>(value).value_or(0);
    if (type == RTA_MULTIPATH) ParseNextHops(info->rtm_family, value, dump);
  });
  AddGateway(info->rtm_family, interface_index, attributes, dump);
}

}  // namespace

void ParseNeighborMessages(std::span<const uint8_t> datagram, NeighborDump& dump) {
  ForEachMessage(datagram, [&dump](const nlmsghdr& header, Bytes body) {
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) dump.interrupted = true;
    switch (header.nlmsg_type) {
      case RTM_NEWNEIGH:
        dump.entries += 1;
        ParseNeighbor(body, dump);
        break;
      case RTM_NEWROUTE:
        dump.entries += 1;
        ParseRoute(body, dump);
        break;
      case NLMSG_DONE:
      case NLMSG_ERROR:
        dump.error = ErrorOf(body);
        dump.done = true;
        break;
      default:
        break;
    }
  });
}

}  // namespace garpoon
