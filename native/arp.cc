#include "arp.h"

#include <linux/if_ether.h>

#include "wire.h"

namespace garpoon {
namespace {

constexpr uint16_t kHardwareEthernet = 1;
constexpr uint8_t kMacLength = 6;
constexpr uint8_t kIpv4Length = 4;
constexpr uint16_t kOperationRequest = 1;
constexpr uint16_t kOperationReply = 2;

struct Ends {
  MacAddress mac;
  IpAddress ip;
};

ArpFrame Build(const MacAddress& destination, uint16_t operation, const Ends& sender, const Ends& target) {
  ArpFrame frame{};
  WireWriter(frame)
      .Mac(destination)
      .Mac(sender.mac)
      .U16(ETH_P_ARP)
      .U16(kHardwareEthernet)
      .U16(ETH_P_IP)
      .U8(kMacLength)
      .U8(kIpv4Length)
      .U16(operation)
      .Mac(sender.mac)
      .Ip(sender.ip)
      .Mac(target.mac)
      .Ip(target.ip);
  return frame;
}

}  // namespace

DropReason ParseArpRequest(std::span<const uint8_t> frame, const MacAddress& own, ArpRequest& out) {
  WireReader in(frame);
  const MacAddress destination = in.Mac();
  const MacAddress source = in.Mac();
  const uint16_t ether_type = in.U16();
  const uint16_t hardware_type = in.U16();
  const uint16_t protocol_type = in.U16();
  const uint8_t hardware_length = in.U8();
  const uint8_t protocol_length = in.U8();
  const uint16_t operation = in.U16();
  const MacAddress sender_mac = in.Mac();
  const IpAddress sender_ip = in.Ipv4();
  in.Mac();  // what the sender looks for
  const IpAddress target_ip = in.Ipv4();
  if (!in.ok()) return DropReason::kTooShort;

  if (ether_type != ETH_P_ARP || hardware_type != kHardwareEthernet || protocol_type != ETH_P_IP ||
      hardware_length != kMacLength || protocol_length != kIpv4Length) {
    return DropReason::kMalformed;
  }
  if (operation != kOperationRequest) return DropReason::kNotRequest;
  if (destination != kBroadcastMac && destination != own) return DropReason::kOtherHost;
  if (source == own || sender_mac == own) return DropReason::kOwnSender;
  // A reply to a group or to nobody would be a gift to whoever forged the request.
  if (source.IsMulticast() || sender_mac.IsMulticast() || sender_mac.IsZero()) return DropReason::kBadSender;
  out = {sender_mac, sender_ip, target_ip};
  return DropReason::kNone;
}

ArpFrame BuildArpReply(const ArpRequest& request, const MacAddress& own) {
  return Build(request.sender_mac, kOperationReply, {own, request.target_ip}, {request.sender_mac, request.sender_ip});
}

ArpFrame BuildGratuitousArp(ArpForm form, const IpAddress& address, const MacAddress& own) {
  const MacAddress target = form == ArpForm::kRequest ? MacAddress{} : kBroadcastMac;
  return Build(kBroadcastMac, static_cast<uint16_t>(form), {own, address}, {target, address});
}

}  // namespace garpoon
