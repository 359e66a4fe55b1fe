#include "bfd_packed.h"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "bfd_echo_packet.h"
#include "interface_pattern.h"
#include "wire.h"

namespace garpoon {
namespace {

constexpr uint8_t kPassive = 1;
constexpr uint8_t kDemand = 2;
constexpr uint8_t kTied = 4;
constexpr uint8_t kHasLocal = 8;
constexpr uint8_t kAllFlags = kPassive | kDemand | kTied | kHasLocal;

std::string Text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

bool IsName(const std::string& name) {
  return IsInterfacePattern(name) && name.find_first_of("*?[") == std::string::npos;
}

bool IsHost(const IpAddress& address) { return !address.IsUnspecified() && !address.IsMulticast(); }

const char* ReadKeys(WireReader& in, BfdAuthentication type, size_t count, BfdKeyring& keyring) {
  if (type > BfdAuthentication::kMeticulousSha1) return "the type of authentication is unknown";
  if ((type == BfdAuthentication::kNone) != (count == 0)) return "the number of keys does not fit the authentication";
  if (count > kBfdMaxKeys) return "there are too many keys";
  keyring.type = type;
  keyring.keys.reserve(count);  // or the first ones would be left behind in memory
  for (size_t i = 0; i < count; i++) {
    const uint8_t id = in.U8();
    const auto secret = in.Take(in.U8());
    if (!in.ok()) return "it is cut off";
    if (secret.empty() || secret.size() > LongestKey(type)) return "a key has a length that the type does not allow";
    keyring.keys.emplace_back(id, secret);
  }
  return nullptr;
}

const char* ReadOne(WireReader& in, BfdSettings& settings) {
  const uint8_t family = in.U8();
  const uint8_t flags = in.U8();
  settings.minimum_ttl = in.U8();
  settings.parameters.detect_multiplier = in.U8();
  settings.port = in.U16();
  settings.peer.listen_port = in.U16();
  settings.parameters.desired_min_tx = in.U32();
  settings.parameters.required_min_rx = in.U32();
  settings.parameters.echo_interval = in.U32();
  if (family != 4 && family != 6) return "the family is neither 4 nor 6";
  IpAddress local;
  for (IpAddress* const address : {&settings.peer.address, &local}) {
    *address = family == 4 ? in.Ipv4() : in.Ipv6();
    if (family == 4) (void)in.Take(12);
  }
  const auto type = static_cast<BfdAuthentication>(in.U8());
  const size_t key_count = in.U8();
  const size_t interface_size = in.U8();
  const size_t id_size = in.U8();
  settings.peer.interface = Text(in.Take(interface_size));
  settings.id = Text(in.Take(id_size));
  if (!in.ok()) return "it is cut off";
  if ((flags & ~kAllFlags) != 0) return "a flag is unknown";
  if (settings.id.empty()) return "the id is empty";
  if (settings.minimum_ttl == 0 || settings.parameters.detect_multiplier == 0 || settings.port == 0 ||
      settings.peer.listen_port == 0 || settings.parameters.desired_min_tx == 0 ||
      settings.parameters.required_min_rx == 0) {
    return "a number is 0";
  }
  // RFC 5883 section 3 has no echo over several hops.
  if (settings.parameters.echo_interval != 0 && (family != 4 || settings.minimum_ttl != 255)) {
    return "echo is for one hop and IPv4";
  }
  if (settings.port == kBfdEchoPort || settings.peer.listen_port == kBfdEchoPort) {
    return "a port is that of echo packets";
  }
  if (!IsHost(settings.peer.address)) return "the peer is no host's address";
  if (!settings.peer.interface.empty() && !IsName(settings.peer.interface)) return "the interface has no possible name";
  if ((flags & kHasLocal) != 0) {
    if (!IsHost(local)) return "the local address is no host's";
    settings.local = local;
  }
  settings.parameters.passive = (flags & kPassive) != 0;
  settings.parameters.demand = (flags & kDemand) != 0;
  settings.tied_to_lease = (flags & kTied) != 0;
  return ReadKeys(in, type, key_count, settings.keyring);
}

}  // namespace

BfdPackedFault ParsePackedBfd(std::span<const uint8_t> packed, std::vector<BfdSettings>& sessions) {
  std::set<std::string> ids;
  std::set<std::tuple<Family, std::array<uint8_t, 16>, std::string, uint16_t>> peers;
  WireReader in(packed);
  for (size_t entry = 0; in.remaining() > 0; entry++) {
    if (entry == kMaxBfdSessions) return {"there are too many", entry};
    BfdSettings settings;
    if (const char* const what = ReadOne(in, settings)) return {what, entry};
    if (!ids.insert(settings.id).second) return {"another one has its id", entry};
    const BfdPeer& peer = settings.peer;
    if (!peers.emplace(peer.address.family, peer.address.bytes, peer.interface, peer.listen_port).second) {
      return {"another one has its peer, interface and port to listen on", entry};
    }
    sessions.push_back(std::move(settings));
  }
  return {};
}

}  // namespace garpoon
