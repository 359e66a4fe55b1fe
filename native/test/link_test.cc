#include "../link.h"

#include <net/if.h>

#include "../interface_pattern.h"
#include "../link_table.h"
#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

constexpr uint32_t kLowerUp = 1 << 16;
constexpr uint32_t kWorking = IFF_UP | kLowerUp | IFF_BROADCAST | IFF_MULTICAST;

Link Ethernet(int index, const char* name, uint32_t flags = kWorking) {
  return {index, name, flags, true, false, kOwnMac};
}

LinkMessage Present(Link link) { return {LinkMessage::Kind::kPresent, 0, false, 0, std::move(link)}; }
LinkMessage Gone(int index) { return {LinkMessage::Kind::kGone, 0, false, 0, Ethernet(index, "")}; }

std::string Names(const std::vector<LinkChange>& changes) {
  std::string text;
  for (const auto& change : changes) {
    const std::string kind = *Name(change.kind) == '\0' ? "other" : Name(change.kind);
    text += (text.empty() ? "" : " ") + change.name + ":" + kind;
  }
  return text;
}

}  // namespace

TEST("an interface is eligible or has one reason why not") {
  Link enslaved = Ethernet(1, "eth0");
  enslaved.enslaved = true;
  Link tunnel = Ethernet(1, "tun0", kWorking | IFF_POINTOPOINT | IFF_NOARP);
  tunnel.ethernet = false;
  const struct {
    Link link;
    Ineligible reason;
  } rows[] = {
      {Ethernet(1, "eth0"), Ineligible::kNone},
      {Ethernet(1, "eth0", IFF_UP | IFF_BROADCAST), Ineligible::kNone},  // without carrier, but fit for it
      {Ethernet(1, "eth0", IFF_BROADCAST), Ineligible::kDown},
      {Ethernet(1, "lo", IFF_UP | IFF_LOOPBACK), Ineligible::kLoopback},
      {Ethernet(1, "dummy0", kWorking | IFF_NOARP), Ineligible::kNoArp},
      {Ethernet(1, "gre0", kWorking | IFF_POINTOPOINT), Ineligible::kPointToPoint},
      {tunnel, Ineligible::kNotEthernet},
      {enslaved, Ineligible::kEnslaved},
      {Ethernet(1, "veth12ab"), Ineligible::kExcluded},
      {Ethernet(1, "cni0"), Ineligible::kExcluded},
  };
  const std::vector<std::string> exclude = {"cni0", "veth*"};
  for (const auto& row : rows) EXPECT_EQ(WhyIneligible(row.link, exclude), row.reason, row.link.name);
}

TEST("only what could be an interface's name is a pattern") {
  const std::string long_name(16, 'a'), longest_glob = std::string(63, 'a') + '*';
  const struct {
    std::string pattern;
    bool valid;
  } rows[] = {
      {"eth0", true},
      {"enp0s31f6", true},
      {"eth0.100", true},
      {"a@b", true},
      {"eth*", true},
      {"eth[01]", true},
      {std::string(15, 'a'), true},
      {longest_glob, true},
      {"", false},
      {".", false},
      {"..", false},
      {"a/b", false},
      {"a b", false},
      {"a\tb", false},
      {"a:1", false},
      {long_name, false},
      {"eth\n", false},
      {std::string("a\0b", 3), false},
      {longest_glob + "a", false},
  };
  for (const auto& row : rows) EXPECT_EQ(IsInterfacePattern(row.pattern), row.valid, row.pattern);
}

TEST("a glob matches names, a name only itself") {
  const std::vector<std::string> patterns = {"eth0", "bond*", "enp[0-3]s0"};
  const struct {
    const char* name;
    bool matches;
  } rows[] = {{"eth0", true}, {"eth01", false}, {"bond0.5", true}, {"enp2s0", true}, {"enp4s0", false}, {"", false}};
  for (const auto& row : rows) EXPECT_EQ(MatchesAny(patterns, row.name), row.matches, row.name);
}

TEST("the table tells each change once") {
  Link renamed = Ethernet(2, "wan0");
  Link moved = renamed;
  moved.mac = kHostMac;
  Link enslaved = moved;
  enslaved.enslaved = true;
  Link off = enslaved;
  off.flags = 0;
  const struct {
    LinkMessage message;
    const char* changes;
  } rows[] = {
      {Present(Ethernet(2, "eth0", IFF_UP)), "eth0:added"},
      {Present(Ethernet(2, "eth0", IFF_UP)), ""},
      {Present(Ethernet(2, "eth0")), "eth0:up"},
      {Present(renamed), "wan0:renamed"},
      {Present(moved), "wan0:mac"},
      {Present(enslaved), "wan0:other"},
      {Present(off), "wan0:down"},
      {Gone(2), "wan0:removed"},
      {Gone(2), ""},
      {Present(Ethernet(2, "eth0")), "eth0:added eth0:up"},
  };
  LinkTable table;
  for (const auto& row : rows) {
    std::vector<LinkChange> changes;
    table.Apply(row.message, changes);
    EXPECT_EQ(Names(changes), row.changes);
  }
}

TEST("a dump removes what it does not mention") {
  LinkTable table;
  std::vector<LinkChange> changes;
  for (const int index : {1, 2, 3}) table.Apply(Present(Ethernet(index, "eth", 0)), changes);
  changes.clear();
  table.BeginDump();
  table.Apply(Present(Ethernet(1, "eth", 0)), changes);
  table.Apply(Present(Ethernet(4, "new", 0)), changes);  // a notification that came during the dump
  table.EndDump(changes);
  EXPECT_EQ(Names(changes), "new:added eth:removed eth:removed");
  EXPECT_EQ(table.links().size(), 2u);
}

}  // namespace garpoon::test
