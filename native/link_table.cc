#include "link_table.h"

#include <array>
#include <utility>

namespace garpoon {

const char* Name(LinkChange::Kind kind) {
#define GARPOON_X(enumerator, name) name,
  constexpr std::array kNames = {GARPOON_LINK_CHANGES(GARPOON_X)};
#undef GARPOON_X
  return kNames[static_cast<size_t>(kind)];
}

const Link* LinkTable::Find(int index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second;
}

const Link* LinkTable::EligibleParent(const Link& link, std::span<const std::string> exclude) const {
  const Link* parent = Find(link.parent);
  return parent != nullptr && WhyIneligible(*parent, exclude) == Ineligible::kNone ? parent : nullptr;
}

std::vector<int> LinkTable::ChildrenOf(int index) const {
  std::vector<int> children;
  for (const auto& [child, link] : links_) {
    if (link.parent == index) children.push_back(child);
  }
  return children;
}

void LinkTable::Apply(const LinkMessage& message, std::vector<LinkChange>& changes) {
  const int index = message.link.index;
  switch (message.kind) {
    case LinkMessage::Kind::kPresent:
      seen_.insert(index);
      Update(message.link, changes);
      break;
    case LinkMessage::Kind::kGone:
      seen_.erase(index);
      Remove(index, changes);
      break;
    case LinkMessage::Kind::kLinkLocal:
      if (const Link* link = Find(index)) changes.push_back({LinkChange::Kind::kIpv6Up, index, link->name});
      break;
    case LinkMessage::Kind::kDumpDone:
    case LinkMessage::Kind::kDumpFailed:
      break;
  }
}

void LinkTable::EndDump(std::vector<LinkChange>& changes) {
  std::vector<int> missing;
  for (const auto& [index, link] : links_) {
    if (!seen_.contains(index)) missing.push_back(index);
  }
  for (const int index : missing) Remove(index, changes);
}

void LinkTable::Update(const Link& link, std::vector<LinkChange>& changes) {
  const auto [found, added] = links_.try_emplace(link.index, link);
  const auto changed = [&](LinkChange::Kind kind) { changes.push_back({kind, link.index, link.name}); };
  if (added) {
    changed(LinkChange::Kind::kAdded);
    if (link.operational()) changed(LinkChange::Kind::kUp);
    return;
  }
  const Link before = std::exchange(found->second, link);
  if (before == link) return;
  const size_t first = changes.size();
  if (before.name != link.name) changed(LinkChange::Kind::kRenamed);
  if (before.mac != link.mac) changed(LinkChange::Kind::kMac);
  if (before.operational() != link.operational()) {
    changed(link.operational() ? LinkChange::Kind::kUp : LinkChange::Kind::kDown);
  }
  if (changes.size() == first) changed(LinkChange::Kind::kOther);
}

void LinkTable::Remove(int index, std::vector<LinkChange>& changes) {
  const auto found = links_.find(index);
  if (found == links_.end()) return;
  changes.push_back({LinkChange::Kind::kRemoved, index, found->second.name});
  links_.erase(found);
}

}  // namespace garpoon
