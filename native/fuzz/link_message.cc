// Any netlink datagram: no read outside of it, and a link table that holds together.
#include "../link_message.h"

#include "../link_table.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  std::vector<LinkMessage> messages;
  ParseLinkMessages({data, size}, messages);
  LinkTable table;
  std::vector<LinkChange> changes;
  table.BeginDump();
  for (const LinkMessage& message : messages) {
    table.Apply(message, changes);
    if (message.kind == LinkMessage::Kind::kDumpDone) table.EndDump(changes);
  }
  for (const auto& [index, link] : table.links()) {
    fuzz::Require(index > 0 && link.index == index);
    fuzz::Require(!link.name.empty() && link.name.size() <= 15);
    fuzz::Require(link.parent >= 0 && !(link.enslaved && link.vrf_port));
    const Link* parent = table.EligibleParent(link, {});
    fuzz::Require(parent == nullptr || parent->index == link.parent);
    fuzz::Require(link.parent == 0 || std::ranges::count(table.ChildrenOf(link.parent), index) == 1);
  }
  return 0;
}
