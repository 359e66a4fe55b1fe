#include "arp.h"

#include <linux/if_ether.h>

#include "wire.h"

namespace garpoon {
namespace {

constexpr uint16_t kHardwareEthernet = 1;
constexpr uint8_t kMacLength = 6;
constexpr uint8_t kIpv4Length = 4;

struct End {
  MacAddress mac;
  IpAddress ip;
};

ArpFrame Build(const MacAddress& destination, ArpOperation operation, const End& sender, const End& target) {
  ArpFrame frame{};
  WireWriter(frame)
      .Mac(destination)
      .Mac(sender.mac)
      .U16(ETH_P_ARP)
      .U16(kHardwareEthernet)
      .U16(ETH_P_IP)
      .U8(kMacLength)
      .U8(kIpv4Length)
      .U16(static_cast<uint16_t>(operation))
      .Mac(sender.mac)
      .Ip(sender.ip)
      .Mac(target.mac)
      .Ip(target.ip);
  return frame;
}

}  // namespace

DropReason ParseArp(std::span<const uint8_t> frame, ArpMessage& out) {
  WireReader in(frame);
  const MacAddress destination = in.Mac();
  const MacAddress source = in.Mac();
  const uint16_t ether_type = in.U16();
  const uint16_t hardware_type = in.U16();
  const uint16_t protocol_type = in.U16();
  const uint8_t hardware_length = in.U8();
  const uint8_t protocol_length = in.U8();
  const auto operation = static_cast<ArpOperation>(in.U16());
  const MacAddress sender_mac = in.Mac();
  const IpAddress sender_ip = in.Ipv4();
  in.Mac();  // what the sender looks for
  const IpAddress target_ip = in.Ipv4();
  if (!in.ok()) return DropReason::kTooShort;

  if (ether_type != ETH_P_ARP || hardware_type != kHardwareEthernet || protocol_type != ETH_P_IP ||
      hardware_length != kMacLength || protocol_length != kIpv4Length) {
    return DropReason::kMalformed;
  }
  if (operation != ArpOperation::kRequest && operation != ArpOperation::kReply) return DropReason::kNotRequest;
  // A reply to a group or to nobody would be a gift to whoever forged the request.
  if (source.IsMulticast() || sender_mac.IsMulticast() || sender_mac.IsZero()) return DropReason::kBadSender;
  out = {operation, source, destination, sender_mac, sender_ip, target_ip};
  return DropReason::kNone;
}

ArpFrame BuildArpReply(const ArpMessage& request, const MacAddress& own) {
  return Build(request.sender_mac, ArpOperation::kReply, {own, request.target_ip},
               {request.sender_mac, request.sender_ip});
}

ArpFrame BuildGratuitousArp(ArpOperation form, const IpAddress& address, const MacAddress& own) {
  const MacAddress target = form == ArpOperation::kRequest ? MacAddress{} : kBroadcastMac;
  return Build(kBroadcastMac, form, {own, address}, {target, address});
}

ArpFrame BuildArpProbe(const IpAddress& address, const MacAddress& own) {
  return Build(kBroadcastMac, ArpOperation::kRequest, {own, IpAddress{}}, {MacAddress{}, address});
}

ArpFrame BuildUnicastArp(const IpAddress& address, const MacAddress& own, const MacAddress& target_mac,
                         const IpAddress& target_ip) {
  return Build(target_mac, ArpOperation::kRequest, {own, address}, {target_mac, target_ip});
}

}  // namespace garpoon
