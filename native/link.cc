#include "link.h"

#include <net/if.h>

#include <array>

namespace garpoon {
namespace {

constexpr uint32_t kLowerUp = 1 << 16;  // IFF_LOWER_UP of <linux/if.h>, which <net/if.h> lacks

// By itself, whatever its parent does.
bool Matches(const InterfaceSet& set, const Link& link) {
  return set.empty() ? !link.vrf_port : MatchesAny(set, link.name);
}

}  // namespace

bool Link::up() const { return (flags & IFF_UP) != 0; }

bool Link::carrier() const { return (flags & kLowerUp) != 0; }

const char* Name(Ineligible reason) {
#define GARPOON_X(enumerator, name) name,
  constexpr std::array kNames = {GARPOON_INELIGIBLE(GARPOON_X)};
#undef GARPOON_X
  return kNames[static_cast<size_t>(reason)];
}

Ineligible WhyIneligible(const Link& link, std::span<const std::string> exclude) {
  if (MatchesAny(exclude, link.name)) return Ineligible::kExcluded;
  if ((link.flags & IFF_LOOPBACK) != 0) return Ineligible::kLoopback;
  if (!link.ethernet) return Ineligible::kNotEthernet;
  if ((link.flags & IFF_POINTOPOINT) != 0) return Ineligible::kPointToPoint;
  if ((link.flags & IFF_NOARP) != 0) return Ineligible::kNoArp;
  if (link.enslaved) return Ineligible::kEnslaved;
  if (!link.up()) return Ineligible::kDown;
  return Ineligible::kNone;
}

const char* Name(OnlyByName reason) {
#define GARPOON_X(enumerator, name) name,
  constexpr std::array kNames = {GARPOON_ONLY_BY_NAME(GARPOON_X)};
#undef GARPOON_X
  return kNames[static_cast<size_t>(reason)];
}

OnlyByName WhyOnlyByName(const Link& link, const Link* parent) {
  if (BelongsTo({}, link, parent)) return OnlyByName::kNone;
  return link.vrf_port ? OnlyByName::kVrfMember : OnlyByName::kSharesParent;
}

bool BelongsTo(const InterfaceSet& set, const Link& link, const Link* parent) {
  return Matches(set, link) && (parent == nullptr || !Matches(set, *parent));
}

}  // namespace garpoon
