// Real sockets and threads, on loopback.
#include <arpa/inet.h>

#include <mutex>
#include <string>
#include <vector>

#include "../bfd_packed.h"
#include "../responder.h"
#include "check.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

BfdSettings Towards(const char* peer, const char* local, const char* key) {
  BfdSettings settings;
  settings.id = peer;
  settings.peer = {test::Ip(peer), "", 7950};
  settings.local = test::Ip(local);
  settings.port = 7950;
  settings.parameters = {.desired_min_tx = 20'000, .required_min_rx = 20'000, .detect_multiplier = 100};
  settings.keyring.type = BfdAuthentication::kMeticulousSha1;
  const std::string secret = key;
  settings.keyring.keys.emplace_back(1, std::vector<uint8_t>(secret.begin(), secret.end()));
  return settings;
}

// Talks to itself under two addresses: each is the other's peer.
struct Subject {
  std::mutex mutex;
  std::vector<BfdEvent> events;
  std::unique_ptr<Responder> responder;

  Subject() {
    RunIp("link set lo up");
    const auto sink = [this](const Event& event) {
      const std::lock_guard lock(mutex);
      if (event.kind == Event::Kind::kBfd) events.push_back(event.bfd);
      return true;
    };
    Failure failure;
    responder = Responder::Start({}, std::make_shared<Stats>(), sink, failure);
  }

  void Set(const char* key = "key") {
    responder->SetBfdSessions({Towards("127.0.0.2", "127.0.0.1", key), Towards("127.0.0.1", "127.0.0.2", key)});
  }
  bool BothUp() {
    for (const auto& [id, report] : responder->BfdReports()) {
      if (report->Get(BfdField::kState) != static_cast<uint64_t>(BfdState::kUp)) return false;
    }
    return true;
  }
  uint64_t Sum(BfdField field) {
    uint64_t sum = 0;
    for (const auto& [id, report] : responder->BfdReports()) sum += report->Get(field);
    return sum;
  }
};

}  // namespace

NETWORK_TEST("sessions come up, and are changed from another thread while packets go to and fro") {
  Subject subject;
  subject.Set();
  EXPECT(Eventually([&] { return subject.BothUp(); }));
  for (int i = 0; i < 50; i++) {
    const uint64_t received = subject.Sum(BfdField::kReceived);
    subject.Set(i % 2 == 0 ? "yek" : "key");
    EXPECT(Eventually([&] { return subject.Sum(BfdField::kReceived) > received; }));
  }
  EXPECT(Eventually([&] { return subject.BothUp(); }));
  EXPECT_EQ(subject.Sum(BfdField::kSendFailures), 0u);
  subject.responder->SetBfdSessions({});
  EXPECT(subject.responder->BfdReports().empty());
  subject.responder->Stop();
  const std::lock_guard lock(subject.mutex);
  EXPECT(!subject.events.empty());
}

NETWORK_TEST("packets leave with TTL 255, class selector 6 and a source port of the range") {
  Subject subject;
  Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
  setsockopt(fd.get(), IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(7951);
  local.sin_addr.s_addr = htonl(0x7f000003);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&local), sizeof local), 0);
  BfdSettings settings = Towards("127.0.0.3", "127.0.0.1", "key");
  settings.port = 7951;
  subject.responder->SetBfdSessions({settings});
  std::array<uint8_t, 256> payload;
  std::array<uint8_t, 128> control;
  sockaddr_in from{};
  iovec part{payload.data(), payload.size()};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  EXPECT_EQ(recvmsg(fd.get(), &message, 0), 52);
  EXPECT(ntohs(from.sin_port) >= 49152);
  int ttl = 0, tos = 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_type == IP_TTL) ttl = *CMSG_DATA(each);
    if (each->cmsg_type == IP_TOS) tos = *CMSG_DATA(each);
  }
  EXPECT_EQ(ttl, 255);
  EXPECT_EQ(tos, 0xc0);
}

TEST("what JavaScript hands over is refused when it is not as it should be") {
  const std::string fixed =
      "04 00 ff 03 1f0e 1f0e 000186a0 000186a0 00000000 c0000201000000000000000000000000 "
      "00000000000000000000000000000000";
  const std::string echo = std::string(fixed).replace(40, 8, "0000c350");
  const auto packed = [](std::string hex) {
    std::erase(hex, ' ');
    return Hex(hex);
  };
  const std::string one = fixed + "00 00 00 01 61";
  const struct {
    const char* label;
    std::string hex;
    bool taken;
  } rows[] = {
      {"one", one, true},
      {"none", "", true},
      {"cut off", one.substr(0, one.size() - 2), false},
      {"twice the id", one + one, false},
      {"twice the peer", one + fixed + "00 00 00 01 62", false},
      {"two ports", one + "04 00 ff 03 1f0e 1f0f" + fixed.substr(21) + "00 00 00 01 62", true},
      {"no id", fixed + "00 00 00 00", false},
      {"unknown family", "05" + one.substr(2), false},
      {"unknown flag", "04 10" + one.substr(5), false},
      {"multiplier 0", "04 00 ff 00" + one.substr(11), false},
      {"TTL 0", "04 00 00 03" + one.substr(11), false},
      {"echo", echo + "00 00 00 01 61", true},
      {"echo over several hops", "04 00 fe" + echo.substr(8) + "00 00 00 01 61", false},
      {"echo over IPv6", "06" + echo.substr(2) + "00 00 00 01 61", false},
      {"the port of echo packets", "04 00 ff 03 0ec9" + one.substr(16), false},
      {"the port of echo packets to listen on", "04 00 ff 03 1f0e 0ec9" + one.substr(21), false},
      {"an interface", fixed + "00 00 04 01 65746830 61", true},
      {"a glob", fixed + "00 00 04 01 6574682a 61", false},
      {"a key", fixed + "05 01 00 01 61 07 02 abcd", true},
      {"a type and no key", fixed + "05 00 00 01 61", false},
      {"a key and no type", fixed + "00 01 00 01 61 07 02 abcd", false},
      {"an unknown type", fixed + "06 01 00 01 61 07 02 abcd", false},
      {"an empty key", fixed + "05 01 00 01 61 07 00", false},
      {"a key of 17 for MD5", fixed + "02 01 00 01 61 07 11" + std::string(34, 'a'), false},
      {"a key cut off", fixed + "05 01 00 01 61 07 04 abcd", false},
  };
  for (const auto& row : rows) {
    std::vector<BfdSettings> sessions;
    EXPECT_EQ(ParsePackedBfd(packed(row.hex), sessions).what == nullptr, row.taken, row.label);
  }
}

}  // namespace garpoon::test
