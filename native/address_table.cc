#include "address_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace garpoon {
namespace {

constexpr size_t kSmallestTable = 8;
constexpr uint8_t kFlagHeld = 1;

bool MayBeHeld(const IpAddress& address) {
  const auto& bytes = address.bytes;
  if (address.IsMulticast()) return false;
  if (address.family == Family::kIpv4) {
    const bool broadcast = std::all_of(bytes.begin(), bytes.begin() + 4, [](uint8_t byte) { return byte == 0xff; });
    return bytes[0] != 0 && bytes[0] != 127 && !broadcast;
  }
  // Neither :: nor ::1.
  return bytes[15] > 1 || std::any_of(bytes.begin(), bytes.end() - 1, [](uint8_t byte) { return byte != 0; });
}

bool IsPadded(const IpAddress& address) {
  uint32_t second;
  uint64_t rest;
  std::memcpy(&second, &address.bytes[4], sizeof second);
  std::memcpy(&rest, &address.bytes[8], sizeof rest);
  return address.family == Family::kIpv6 || (second == 0 && rest == 0);
}

PackedFault::Kind ParseOne(std::span<const uint8_t, kPackedSize> packed, size_t set_count, Announcement& out) {
  auto& bytes = out.address.bytes;
  std::memcpy(bytes.data(), packed.data(), bytes.size());
  const uint8_t family = packed[16];
  const uint8_t flags = packed[17];
  out.set = static_cast<uint16_t>(packed[18] | packed[19] << 8);
  out.held = (flags & kFlagHeld) != 0;

  if (family != 4 && family != 6) return PackedFault::Kind::kFamily;
  out.address.family = static_cast<Family>(family);
  if ((flags & ~kFlagHeld) != 0 || !IsPadded(out.address)) return PackedFault::Kind::kPadding;
  if (!MayBeHeld(out.address)) return PackedFault::Kind::kAddress;
  if (out.set >= set_count) return PackedFault::Kind::kSet;
  return PackedFault::Kind::kNone;
}

}  // namespace

PackedFault ParsePacked(std::span<const uint8_t> packed, size_t set_count, std::vector<Announcement>& out) {
  if (packed.size() % kPackedSize != 0) return {PackedFault::Kind::kLength};
  const size_t count = packed.size() / kPackedSize;
  if (count > kMaxAnnouncements) return {PackedFault::Kind::kTooMany};
  out.reserve(out.size() + count);
  for (size_t entry = 0; entry < count; entry++) {
    const auto bytes = packed.subspan(entry * kPackedSize).first<kPackedSize>();
    const auto kind = ParseOne(bytes, set_count, out.emplace_back());
    if (kind == PackedFault::Kind::kNone) continue;
    const Announcement announcement = out.back();
    out.pop_back();
    return {kind, announcement, entry};
  }
  return {};
}

std::unique_ptr<AddressTable> AddressTable::Create(std::vector<Announcement> announcements,
                                                   std::vector<InterfaceSet> sets, PackedFault& fault) {
  for (size_t entry = 0; entry < announcements.size(); entry++) {
    if (announcements[entry].set < sets.size()) continue;
    fault = {PackedFault::Kind::kSet, announcements[entry], entry};
    return nullptr;
  }
  std::unique_ptr<AddressTable> table(new AddressTable(std::move(announcements), std::move(sets)));
  for (uint32_t index = 0; index < table->announcements_.size(); index++) {
    if (table->Insert(index)) continue;
    fault = {PackedFault::Kind::kDuplicate, table->announcements_[index], index};
    return nullptr;
  }
  table->FillUses();
  return table;
}

AddressTable::AddressTable(std::vector<Announcement> announcements, std::vector<InterfaceSet> sets)
    : announcements_(std::move(announcements)),
      sets_(std::move(sets)),
      uses_(sets_.size()),
      slots_(std::bit_ceil(std::max(kSmallestTable, announcements_.size() * 2))) {}

const Announcement* AddressTable::Find(const IpAddress& address) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = address.Hash() & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const Announcement& candidate = announcements_[slots_[slot] - 1];
    if (candidate.address == address) return &candidate;
  }
  return nullptr;
}

bool AddressTable::Has(size_t set, Family family) const {
  return family == Family::kIpv4 ? uses_[set].ipv4 : !uses_[set].suffixes.empty();
}

bool AddressTable::Insert(uint32_t index) {
  const IpAddress& address = announcements_[index].address;
  const size_t mask = slots_.size() - 1;
  size_t slot = address.Hash() & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (announcements_[slots_[slot] - 1].address == address) return false;
  }
  slots_[slot] = index + 1;
  return true;
}

void AddressTable::FillUses() {
  for (const Announcement& announcement : announcements_) {
    SetUse& use = uses_[announcement.set];
    if (announcement.address.family == Family::kIpv4) {
      use.ipv4 = true;
    } else {
      use.suffixes.push_back(announcement.address.SolicitedNodeSuffix());
    }
  }
  for (SetUse& use : uses_) {
    std::ranges::sort(use.suffixes);
    use.suffixes.erase(std::unique(use.suffixes.begin(), use.suffixes.end()), use.suffixes.end());
  }
}

}  // namespace garpoon
