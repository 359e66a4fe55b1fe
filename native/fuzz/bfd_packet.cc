// Any datagram: no read outside of it, and what is taken is written again as it was. Also as what JavaScript hands
// over.
#include "../bfd_packet.h"

#include "../bfd_authentication.h"
#include "../bfd_packed.h"
#include "fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace garpoon;
  std::vector<BfdSettings> sessions;
  (void)ParsePackedBfd({data, size}, sessions);
  BfdReception reception;
  if (ParseBfd({data, size}, reception) != BfdDrop::kNone) return 0;
  fuzz::Require(reception.bytes.size() <= size);
  std::array<uint8_t, kBfdMandatorySize> again;
  MarshalBfd(reception.packet, reception.authentication.size(), again);
  // Without authentication a packet may say that it is longer than it needs to be.
  again[3] = reception.bytes[3];
  fuzz::Require(std::ranges::equal(again, reception.bytes.first(kBfdMandatorySize)));
  const std::array<uint8_t, 3> secret = {1, 2, 3};
  for (uint8_t type = 0; type <= static_cast<uint8_t>(BfdAuthentication::kMeticulousSha1); type++) {
    BfdKeyring keyring{static_cast<BfdAuthentication>(type), {}};
    if (type != 0) keyring.keys.emplace_back(1, secret);
    BfdAuthenticator authenticator(1);
    authenticator.SetKeys(std::move(keyring));
    const bool taken = authenticator.Verify(reception) == BfdDrop::kNone;
    fuzz::Require(!taken || (type == 0) == reception.authentication.empty());
  }
  return 0;
}
