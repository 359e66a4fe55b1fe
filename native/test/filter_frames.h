// Address sets for packet filters, and frames about them.
#pragma once

#include <linux/if_packet.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "../address.h"
#include "frames.h"

namespace garpoon::test {

using Frame = std::vector<uint8_t>;
using Addresses = std::vector<IpAddress>;

// With the bytes from `offset` on replaced.
inline Frame With(Frame frame, size_t offset, std::span<const uint8_t> bytes) {
  std::ranges::copy(bytes, frame.begin() + static_cast<ptrdiff_t>(offset));
  return frame;
}

inline Frame With(Frame frame, size_t offset, const char* hex) { return With(std::move(frame), offset, Hex(hex)); }

// Cut off, or padded with zeros.
inline Frame Sized(Frame frame, size_t size) {
  frame.resize(size);
  return frame;
}

inline Frame Arp(const IpAddress& sender, const IpAddress& target) {
  static const Frame kRequest = Hex(kArpRequestHex);
  return With(With(kRequest, 28, std::span(sender.bytes).first(4)), 38, std::span(target.bytes).first(4));
}

inline Frame Arp(const char* sender, const char* target) { return Arp(Ip(sender), Ip(target)); }

inline Frame Ndp(const IpAddress& target) {
  static const Frame kSolicitation = Hex(kSolicitationHex);
  return With(kSolicitation, 62, target.bytes);
}

inline Frame Ndp(const char* target) { return Ndp(Ip(target)); }

inline const IpAddress kElsewhere = Ip("192.0.2.77");

inline Frame About(const IpAddress& address) {
  return address.family == Family::kIpv4 ? Arp(kElsewhere, address) : Ndp(address);
}

inline Addresses Sorted(Addresses addresses) {
  std::ranges::sort(addresses, {}, &IpAddress::bytes);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

inline Addresses Ips(const std::vector<const char*>& texts) {
  Addresses addresses;
  for (const char* text : texts) addresses.push_back(Ip(text));
  return Sorted(std::move(addresses));
}

inline bool Has(const Addresses& sorted, const IpAddress& address) {
  return std::ranges::binary_search(sorted, address.bytes, {}, &IpAddress::bytes);
}

// `by` is 1 or -1; the first address follows the last.
inline IpAddress Neighbor(IpAddress address, int by) {
  for (size_t i = address.size(); i-- > 0;) {
    address.bytes[i] = static_cast<uint8_t>(address.bytes[i] + by);
    if (address.bytes[i] != (by > 0 ? 0x00 : 0xff)) break;
  }
  return address;
}

// Those next to it, and those that differ from it in one word.
inline Addresses NotQuite(const IpAddress& address) {
  Addresses others = {Neighbor(address, 1), Neighbor(address, -1)};
  for (size_t i = 3; i < address.size(); i += 4) {
    others.push_back(address);
    others.back().bytes[i] ^= 0x80;
  }
  return others;
}

// One word for IPv4, four for IPv6.
inline IpAddress FromWords(std::initializer_list<uint32_t> words) {
  IpAddress address{words.size() == 1 ? Family::kIpv4 : Family::kIpv6, {}};
  size_t at = 0;
  for (const uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) address.bytes[at++] = static_cast<uint8_t>(word >> shift);
  }
  return address;
}

inline constexpr uint32_t kDocumentation = 0x20010db8;

// `count` addresses, the same at every call.
inline Addresses Make(size_t count, const std::function<IpAddress(uint32_t index, uint32_t random)>& address) {
  std::mt19937 random(1);
  Addresses addresses;
  while (addresses.size() < count) {
    while (addresses.size() < count) {
      addresses.push_back(address(static_cast<uint32_t>(addresses.size()), static_cast<uint32_t>(random())));
    }
    addresses = Sorted(std::move(addresses));
  }
  return addresses;
}

inline Addresses Pool(size_t count) {
  return Make(count, [](uint32_t index, uint32_t) { return FromWords({0xc6120000 + index}); });
}

inline Addresses Scattered(size_t count) {
  return Make(count, [](uint32_t, uint32_t random) { return FromWords({random}); });
}

inline Addresses ScatteredHosts(size_t count) {
  return Make(count, [](uint32_t, uint32_t random) { return FromWords({kDocumentation, 1, 0, random}); });
}

inline Addresses ScatteredNetworks(size_t count) {
  return Make(count, [](uint32_t, uint32_t random) { return FromWords({kDocumentation, random, 0, 1}); });
}

// One pool in each of many networks.
inline Addresses Pools(size_t networks, size_t each) {
  const auto size = static_cast<uint32_t>(each);
  return Make(networks * each, [size](uint32_t index, uint32_t) {
    return FromWords({kDocumentation, index / size, 0, index % size});
  });
}

// A frame, and whether the filter for kArpAddresses or kNdpAddresses passes it.
struct Row {
  const char* what;
  Frame frame;
  bool passes;
  uint8_t packet_type = PACKET_BROADCAST;
};

inline const Addresses kArpAddresses = Ips({"198.18.0.5", "198.18.0.8", "198.18.0.9"});
inline const Addresses kNdpAddresses = Ips({"2001:db8::5", "2001:db8::8", "2001:db8::9", "2001:db8:0:1::5"});

inline std::vector<Row> ArpRows() {
  const Frame request = Arp("198.19.255.1", "198.18.0.5");
  const Frame claim = Arp("198.18.0.5", "198.19.255.1");
  return {
      {"a request", request, true},
      {"a reply to it", With(request, 20, "0002"), true},
      {"a request by it", claim, true},
      {"a reply by it", With(claim, 20, "0002"), true},
      {"an announcement of it", Arp("198.18.0.5", "198.18.0.5"), true},
      {"a probe for it", Arp("0.0.0.0", "198.18.0.5"), true},
      {"a request within a pool", Arp("198.19.255.1", "198.18.0.9"), true},
      {"a request for the address below", Arp("198.19.255.1", "198.18.0.4"), false},
      {"a request for the address above", Arp("198.19.255.1", "198.18.0.10"), false},
      {"a probe for another address", Arp("0.0.0.0", "198.18.0.6"), false},
      {"the address backwards", Arp("198.19.255.1", "5.0.18.198"), false},
      {"operation 0", With(request, 20, "0000"), false},
      {"operation 3", With(request, 20, "0003"), false},
      {"operation 257", With(request, 20, "0101"), false},
      {"IPv4", With(request, 12, "0800"), false},
      {"a VLAN tag", With(request, 12, "8100"), false},
      {"to this host", request, true, PACKET_HOST},
      {"to a group", request, true, PACKET_MULTICAST},
      {"to another host", request, false, PACKET_OTHERHOST},
      {"sent by this host", request, false, PACKET_OUTGOING},
      {"an Ethernet header alone", Sized(request, 14), false},
      {"without the target", Sized(claim, 38), false},
      {"without the target's last byte", Sized(claim, 41), false},
      {"padded", Sized(request, 60), true},
      {"padded beyond reason", Sized(request, 600), true},
  };
}

inline std::vector<Row> NdpRows() {
  const Frame solicitation = Ndp("2001:db8::5");
  return {
      {"a solicitation", solicitation, true},
      {"an advertisement", With(solicitation, 54, "88"), true},
      {"within a pool", Ndp("2001:db8::9"), true},
      {"in another network", Ndp("2001:db8:0:1::5"), true},
      {"for the address below", Ndp("2001:db8::4"), false},
      {"for the address above", Ndp("2001:db8::6"), false},
      {"for another network's", Ndp("2001:db8:0:1::9"), false},
      {"for one of another first word", Ndp("2001:db9::5"), false},
      {"for one of another second word", Ndp("2001:db8:0:2::5"), false},
      {"for one of another third word", Ndp("2001:db8::1:0:5"), false},
      {"by it, for another", With(Ndp("2001:db8::6"), 22, Ip("2001:db8::5").bytes), false},
      {"a router advertisement", With(solicitation, 54, "86"), false},
      {"a redirect", With(solicitation, 54, "89"), false},
      {"an echo request", With(solicitation, 54, "80"), false},
      {"hop limit 254", With(solicitation, 21, "fe"), false},
      {"behind a hop-by-hop header", With(solicitation, 20, "00"), false},
      {"UDP", With(solicitation, 20, "11"), false},
      {"IPv4", With(solicitation, 12, "0800"), false},
      {"to this host", solicitation, true, PACKET_HOST},
      {"to a group", solicitation, true, PACKET_MULTICAST},
      {"to another host", solicitation, false, PACKET_OTHERHOST},
      {"sent by this host", solicitation, false, PACKET_OUTGOING},
      {"an Ethernet header alone", Sized(solicitation, 14), false},
      {"without the target", Sized(solicitation, 62), false},
      {"without the target's last byte", Sized(solicitation, 77), false},
      {"without options", Sized(solicitation, 78), true},
      {"with long options", Sized(solicitation, 600), true},
  };
}

}  // namespace garpoon::test
