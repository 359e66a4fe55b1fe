// The interfaces of this network namespace, and what changed about them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "link.h"
#include "link_message.h"

namespace garpoon {

struct LinkChange {
  // X(enumerator, name in JavaScript)
#define GARPOON_LINK_CHANGES(X)                             \
  X(kAdded, "added")                                        \
  X(kRemoved, "removed")                                    \
  X(kUp, "up") /* switched on and the cable is in */        \
  X(kDown, "down")                                          \
  X(kMac, "mac")                                            \
  X(kRenamed, "renamed") /* `name` is the new one */        \
  X(kOther, "")          /* for instance joined a bridge */ \
  X(kIpv6Up, "")         /* IPv6 has come up on the interface */
  enum class Kind : uint8_t {
#define GARPOON_X(enumerator, name) enumerator,
    GARPOON_LINK_CHANGES(GARPOON_X)
#undef GARPOON_X
  };
  Kind kind;
  int index;
  std::string name;
};

// Empty for a kind that JavaScript is not told of.
[[nodiscard]] const char* Name(LinkChange::Kind kind);

class LinkTable {
 public:
  [[nodiscard]] const std::map<int, Link>& links() const { return links_; }  // by index
  [[nodiscard]] const Link* Find(int index) const;
  // Null when it has none, or one that is not to be announced on anyway.
  [[nodiscard]] const Link* EligibleParent(const Link& link, std::span<const std::string> exclude) const;
  // The interfaces whose parent has this index, there or not. A change of the parent may change what they are used for.
  [[nodiscard]] std::vector<int> ChildrenOf(int index) const;

  // Takes kPresent, kGone and kLinkLocal; appends what changed by it.
  void Apply(const LinkMessage& message, std::vector<LinkChange>& changes);

  // Between the two every link that exists is reported by Apply; EndDump removes the others.
  void BeginDump() { seen_.clear(); }
  void EndDump(std::vector<LinkChange>& changes);

 private:
  void Update(const Link& link, std::vector<LinkChange>& changes);
  void Remove(int index, std::vector<LinkChange>& changes);

  std::map<int, Link> links_;
  std::set<int> seen_;  // since BeginDump
};

}  // namespace garpoon
