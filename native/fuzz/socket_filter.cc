// Any set of addresses and any frame: a program that the kernel would take, and that passes what it should.
//
//   0 protocol (lowest bit) | 1 packet type | 2 limit | 3 number of addresses | 4 addresses | then the frame
#include "../socket_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "../test/bpf_interpreter.h"
#include "../wire.h"
#include "fixture.h"

namespace garpoon::fuzz {
namespace {

using Addresses = std::vector<IpAddress>;

IpAddress Read(Protocol protocol, WireReader& in) { return protocol == Protocol::kArp ? in.Ipv4() : in.Ipv6(); }

bool Has(const Addresses& addresses, const IpAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

// What socket_filter.h promises, read off the frame.
bool IsWanted(Protocol protocol, const Addresses& addresses, std::span<const uint8_t> frame, uint8_t packet_type) {
  if (packet_type != PACKET_HOST && packet_type != PACKET_BROADCAST && packet_type != PACKET_MULTICAST) return false;
  WireReader in(frame);
  in.Take(12);
  const uint16_t ether_type = in.U16();
  if (protocol == Protocol::kArp) {
    in.Take(6);
    const uint16_t operation = in.U16();
    in.Take(6);
    const IpAddress sender = in.Ipv4();
    in.Take(6);
    const IpAddress target = in.Ipv4();
    return in.ok() && ether_type == ETH_P_ARP && (operation == 1 || operation == 2) &&
           (Has(addresses, target) || Has(addresses, sender));
  }
  in.Take(6);
  const uint8_t next_header = in.U8();
  const uint8_t hop_limit = in.U8();
  in.Take(32);
  const uint8_t type = in.U8();
  in.Take(7);
  const IpAddress target = in.Ipv6();
  return in.ok() && ether_type == ETH_P_IPV6 && next_header == 58 && hop_limit == 255 && (type == 135 || type == 136) &&
         Has(addresses, target);
}

std::vector<uint8_t> About(Protocol protocol, const IpAddress& address) {
  std::vector<uint8_t> frame(protocol == Protocol::kArp ? 42 : 78);
  WireWriter out(frame);
  out.Mac({}).Mac({});
  if (protocol == Protocol::kArp) {
    out.U16(ETH_P_ARP).U32(0).U16(0).U16(1).Mac({}).U32(0).Mac({}).Ip(address);
  } else {
    out.U16(ETH_P_IPV6).U32(0).U16(0).U8(58).U8(255).Ip({Family::kIpv6, {}}).Ip({Family::kIpv6, {}});
    out.U8(135).U8(0).U16(0).U32(0).Ip(address);
  }
  Require(out.ok());
  return frame;
}

}  // namespace
}  // namespace garpoon::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  WireReader in({data, size});
  const Protocol protocol = (in.U8() & 1) == 0 ? Protocol::kArp : Protocol::kNdp;
  const uint8_t packet_type = in.U8();
  const size_t limit = kMinFilterLimit + 15 * size_t{in.U8()};
  fuzz::Addresses addresses(in.U8() % 64);  // enough for both forms, and to be quick
  for (IpAddress& address : addresses) address = fuzz::Read(protocol, in);
  if (!in.ok()) return 0;
  const auto frame = in.Take(in.remaining());
  std::ranges::sort(addresses, {}, &IpAddress::bytes);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());

  const auto [program, form] = BuildFilter(protocol, addresses, limit);
  fuzz::Require(program.size() <= limit && test::IsValidBpf(program));
  const bool wanted = fuzz::IsWanted(protocol, addresses, frame, packet_type);
  const bool passed = test::RunBpf(program, frame, packet_type) != 0;
  fuzz::Require(form == FilterForm::kExact ? passed == wanted : passed || !wanted);
  // Some of them in each run, because most of the time would go here.
  const size_t step = addresses.size() / 8 + 1;
  for (size_t i = size % step; i < addresses.size(); i += step) {
    fuzz::Require(test::RunBpf(program, fuzz::About(protocol, addresses[i]), PACKET_BROADCAST) != 0);
  }
  return 0;
}
