#include "link_message.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace garpoon {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr size_t kMaxName = 15;
constexpr uint16_t kAttributeTypeMask = 0x3fff;  // NLA_TYPE_MASK: without the nested and byte-order bits

constexpr size_t Aligned(size_t length) { return (length + 3) & ~size_t{3}; }

// Copies a struct off the front, wherever it is aligned.
template <typename T>
std::optional<T> Front(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Bytes After(Bytes bytes, size_t length) { return bytes.subspan(std::min(Aligned(length), bytes.size())); }

// Calls `visit(type, value)` for each attribute that fits.
template <typename Visit>
void ForEachAttribute(Bytes rest, Visit visit) {
  while (const auto header = Front<rtattr>(rest)) {
    if (header->rta_len < sizeof(rtattr) || header->rta_len > rest.size()) return;
    visit(header->rta_type & kAttributeTypeMask, rest.subspan(sizeof(rtattr), header->rta_len - sizeof(rtattr)));
    rest = After(rest, header->rta_len);
  }
}

std::string_view Text(Bytes value) {
  const auto* text = reinterpret_cast<const char*>(value.data());
  return {text, strnlen(text, value.size())};
}

bool IsVrfPort(Bytes link_info) {
  bool vrf = false;
  ForEachAttribute(link_info, [&vrf](int type, Bytes value) {
    if (type == IFLA_INFO_SLAVE_KIND) vrf = Text(value) == "vrf";
  });
  return vrf;
}

std::optional<LinkMessage::Kind> ParseLink(bool gone, Bytes body, Link& link) {
  const auto info = Front<ifinfomsg>(body);
  // A message of family AF_BRIDGE tells of a bridge port; its RTM_DELLINK does not mean that the interface is gone.
  if (!info || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) return std::nullopt;
  link.index = info->ifi_index;
  link.flags = info->ifi_flags;
  if (gone) return LinkMessage::Kind::kGone;

  bool has_master = false;
  bool vrf_port = false;
  bool has_mac = false;
  ForEachAttribute(After(body, sizeof(ifinfomsg)), [&](int type, Bytes value) {
    if (type == IFLA_IFNAME) link.name = Text(value).substr(0, kMaxName);
    if (type == IFLA_MASTER) has_master = true;
    if (type == IFLA_LINKINFO) vrf_port = IsVrfPort(value);
    if (type == IFLA_ADDRESS && value.size() == link.mac.bytes.size()) {
      std::ranges::copy(value, link.mac.bytes.begin());
      has_mac = true;
    }
  });
  if (link.name.empty()) return std::nullopt;
  link.ethernet = info->ifi_type == ARPHRD_ETHER && has_mac;
  link.enslaved = has_master && !vrf_port;
  return LinkMessage::Kind::kPresent;
}

std::optional<LinkMessage::Kind> ParseAddress(Bytes body, Link& link) {
  const auto info = Front<ifaddrmsg>(body);
  if (!info || info->ifa_family != AF_INET6 || info->ifa_scope != RT_SCOPE_LINK) return std::nullopt;
  link.index = static_cast<int>(info->ifa_index);
  return LinkMessage::Kind::kLinkLocal;
}

}  // namespace

void ParseLinkMessages(Bytes rest, std::vector<LinkMessage>& out) {
  while (const auto header = Front<nlmsghdr>(rest)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) return;
    const Bytes body = rest.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    rest = After(rest, header->nlmsg_len);

    LinkMessage message{};
    message.sequence = header->nlmsg_seq;
    message.interrupted = (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    std::optional<LinkMessage::Kind> kind;
    switch (header->nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        kind = ParseLink(header->nlmsg_type == RTM_DELLINK, body, message.link);
        break;
      case RTM_NEWADDR:
        kind = ParseAddress(body, message.link);
        break;
      case NLMSG_DONE:
        kind = LinkMessage::Kind::kDumpDone;
        break;
      case NLMSG_ERROR:
        if (const auto error = Front<nlmsgerr>(body); error && error->error < 0) {
          kind = LinkMessage::Kind::kDumpFailed;
          message.error = -std::max(error->error, -4095);
        }
        break;
      default:
        break;
    }
    if (!kind) continue;
    message.kind = *kind;
    out.push_back(std::move(message));
  }
}

}  // namespace garpoon
