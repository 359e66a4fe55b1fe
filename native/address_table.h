// What this node announces or is about to, and where. Immutable: a change is a new table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "address.h"
#include "interface_pattern.h"

namespace garpoon {

class AddressStats;

struct Announcement {
  IpAddress address;
  uint16_t set = 0;   // index into the table's interface sets
  bool held = false;  // being probed: watched for other hosts' claims, and not ours to answer for yet
};

// The packed form of announcements, as it comes from JavaScript, is kPackedSize bytes each:
//   0 address (IPv4 in the first 4, the rest zero) | 16 family (4 or 6) | 17 flags (bit 0: held, the rest zero) | 18
//   interface set, little-endian
inline constexpr size_t kPackedSize = 20;
inline constexpr size_t kMaxAnnouncements = size_t{1} << 20;
inline constexpr size_t kMaxInterfaceSets = size_t{1} << 16;

struct PackedFault {
  enum class Kind {
    kNone,
    kLength,     // not a multiple of kPackedSize
    kTooMany,    // more than kMaxAnnouncements
    kFamily,     // neither 4 nor 6
    kPadding,    // a byte or bit that must be zero is not
    kAddress,    // unspecified, multicast, broadcast or loopback: no host may hold it
    kSet,        // there is no such interface set
    kDuplicate,  // the address was there before
  };
  Kind kind = Kind::kNone;
  Announcement announcement{};  // of the entry at fault
  size_t entry = 0;             // its index
};

// Appends to `out`. Stops at the first fault.
[[nodiscard]] PackedFault ParsePacked(std::span<const uint8_t> packed, size_t set_count,
                                      std::vector<Announcement>& out);

// Open addressing with linear probing, at most half full: a lookup costs the same in a table of one and of 100,000.
//
//   slots_          hash -> index into announcements_, plus one; 0 is free
//   announcements_  as given
//   stats_          as announcements_, in a table that packets are answered by
//   sets_           names and globs, which the packet thread matches against the interfaces that are there
class AddressTable {
 public:
  // Null with `fault` set when an address comes twice or an entry's set does not exist.
  [[nodiscard]] static std::unique_ptr<AddressTable> Create(std::vector<Announcement> announcements,
                                                            std::vector<InterfaceSet> sets, PackedFault& fault);

  // The empty table.
  AddressTable() : AddressTable({}, {}) {}

  // Before it is shared: one for each announcement, in their order.
  void CountIn(std::vector<std::shared_ptr<AddressStats>> stats) { stats_ = std::move(stats); }

  [[nodiscard]] const Announcement* Find(const IpAddress& address) const;

  // Of an announcement of this table, after CountIn().
  [[nodiscard]] AddressStats& StatsOf(const Announcement& announcement) const { return *SharedStatsOf(announcement); }
  [[nodiscard]] const std::shared_ptr<AddressStats>& SharedStatsOf(const Announcement& announcement) const {
    return stats_[static_cast<size_t>(&announcement - announcements_.data())];
  }

  [[nodiscard]] std::span<const Announcement> announcements() const { return announcements_; }
  [[nodiscard]] std::span<const InterfaceSet> sets() const { return sets_; }
  // Whether the set has any address of the family. Held ones count: what answers a probe must be heard.
  [[nodiscard]] bool Has(size_t set, Family family) const;
  // The solicited-node suffixes of the set's IPv6 addresses, held ones too, ascending, each once.
  [[nodiscard]] std::span<const uint32_t> SolicitedNodeSuffixes(size_t set) const { return uses_[set].suffixes; }

 private:
  struct SetUse {
    bool ipv4 = false;
    std::vector<uint32_t> suffixes;
  };

  AddressTable(std::vector<Announcement> announcements, std::vector<InterfaceSet> sets);

  // False when the address is in the table already.
  [[nodiscard]] bool Insert(uint32_t index);
  void FillUses();

  std::vector<Announcement> announcements_;
  std::vector<InterfaceSet> sets_;
  std::vector<SetUse> uses_;  // by set
  std::vector<uint32_t> slots_;
  std::vector<std::shared_ptr<AddressStats>> stats_;
};

}  // namespace garpoon
