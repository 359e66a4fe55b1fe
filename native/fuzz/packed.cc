// Any bytes as packed announcements: refused, or a table that finds each of them.
#include "../address_table.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  std::vector<Announcement> announcements;
  const std::vector<InterfaceSet> sets = {{}, {"eth0"}, {"eth*", "bond0"}};
  PackedFault fault = ParsePacked({data, size}, sets.size(), announcements);
  if (fault.kind != PackedFault::Kind::kNone) return 0;
  const auto table = AddressTable::Create(announcements, sets, fault);
  fuzz::Require((table == nullptr) == (fault.kind != PackedFault::Kind::kNone));
  if (table == nullptr) return 0;
  for (const Announcement& announcement : announcements) {
    const Announcement* found = table->Find(announcement.address);
    fuzz::Require(found != nullptr && found->set == announcement.set);
    fuzz::Require(table->Has(announcement.set, announcement.address.family));
  }
  return 0;
}
