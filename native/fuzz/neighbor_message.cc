// Any netlink datagram: no read outside of it, and no neighbour or gateway to whom a frame must not be sent.
#include "../neighbor_message.h"

#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  NeighborDump dump;
  ParseNeighborMessages({data, size}, dump);
  const auto is_host = [](const IpAddress& address) { return !address.IsUnspecified() && !address.IsMulticast(); };
  size_t taken = 0;
  for (const auto& [index, neighbors] : dump.neighbors) {
    fuzz::Require(index > 0);
    for (const auto& [address, neighbor] : neighbors) {
      fuzz::Require(is_host(address) && !neighbor.mac.IsMulticast() && !neighbor.mac.IsZero());
      taken += 1;
    }
  }
  for (const auto& [index, addresses] : dump.gateways) {
    fuzz::Require(index > 0 && std::ranges::all_of(addresses, is_host));
    taken += addresses.size();
  }
  fuzz::Require(taken <= dump.entries);
  fuzz::Require(dump.error == 0 || (dump.done && dump.error > 0 && dump.error <= 4095));
  return 0;
}
