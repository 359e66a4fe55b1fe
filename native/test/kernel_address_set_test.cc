#include "../kernel_address_set.h"

#include <cstdlib>

#include "check.h"
#include "filter_frames.h"
#include "tap.h"

namespace garpoon::test {
namespace {

// Null where CAP_BPF is absent, which must not go unnoticed.
std::unique_ptr<KernelAddressSet> Create(Protocol protocol) {
  int error = 0;
  auto set = KernelAddressSet::Create(protocol, error);
  if (set != nullptr) return set;
  std::printf("SKIPPED kernel_address_set_test.cc: the kernel refuses an eBPF program here, errno %d\n", error);
  const char* ci = std::getenv("CI");
  const bool must_run = ci != nullptr && std::string_view(ci) == "true";
  EXPECT(!must_run && error == EPERM);
  return nullptr;
}

}  // namespace

NETWORK_TEST("the eBPF program passes what the classic one does") {
  const Cable cable;
  const Tap tap(cable);
  const struct {
    Protocol protocol;
    Addresses addresses;
    std::vector<Row> rows;
    size_t longest;
  } sets[] = {
      {Protocol::kArp, kArpAddresses, ArpRows(), kArpSnapLength},
      {Protocol::kNdp, kNdpAddresses, NdpRows(), kNdpSnapLength},
  };
  for (const auto& [protocol, addresses, rows, longest] : sets) {
    const auto set = Create(protocol);
    if (set == nullptr) return;
    EXPECT_EQ(set->Assign(addresses), 0);
    EXPECT_EQ(tap.Attach(set->program()), 0);
    const std::vector<size_t> lengths = tap.Receive(rows);
    for (size_t i = 0; i < rows.size(); i++) {
      EXPECT_EQ(lengths[i], rows[i].passes ? std::min(rows[i].frame.size(), longest) : 0, rows[i].what);
    }
  }
}

NETWORK_TEST("the eBPF program follows the set, whatever was in it before") {
  const Cable cable;
  const Tap tap(cable);
  const IpAddress kept = Ip("192.0.2.1");
  const auto set = Create(Protocol::kArp);
  if (set == nullptr) return;
  EXPECT_EQ(tap.Attach(set->program()), 0);
  const Addresses all = Scattered(30'000);
  const auto part = [&](size_t from, size_t to) {
    Addresses addresses(all.begin() + static_cast<ptrdiff_t>(from), all.begin() + static_cast<ptrdiff_t>(to));
    addresses.push_back(kept);
    return Sorted(std::move(addresses));
  };
  const Addresses steps[] = {part(0, 20'000), part(10'000, 30'000), part(10'000, 30'000), {kept}, part(5, 6)};
  for (const Addresses& addresses : steps) {
    EXPECT_EQ(set->Assign(addresses), 0);
    std::vector<Row> rows = {{"kept", About(kept), true}};
    for (size_t i = 0; i < all.size(); i += 97) rows.push_back({"", About(all[i]), Has(addresses, all[i])});
    const std::vector<size_t> lengths = tap.Receive(rows);
    size_t wrong = 0;
    for (size_t i = 0; i < rows.size(); i++) wrong += (lengths[i] > 0) == rows[i].passes ? 0 : 1;
    EXPECT_EQ(wrong, 0u);
  }
}

}  // namespace garpoon::test
