// A real socket at one end of a cable; the tester at the other end speaks for a router.
#include "../router_discovery.h"

#include <linux/sock_diag.h>

#include "../clock.h"
#include "check.h"
#include "checksum.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

constexpr Nanoseconds kInterval = 10'000 * kMillisecond;
constexpr size_t kHopLimitOffset = 21;

// To all nodes from fe80::`last`.
std::vector<uint8_t> Advertisement(uint8_t last, uint8_t hop_limit = 255) {
  auto frame =
      Hex("333300000001 02000000000c 86dd 60000000 0010 3a ff"
          "fe800000000000000000000000000000 ff020000000000000000000000000001"
          "86 00 0000 40 00 001e 00000000 00000000");
  frame[kHopLimitOffset] = hop_limit;
  frame[37] = last;
  Rechecksum(frame);
  return frame;
}

struct Subject {
  Cable cable;
  RouterDiscovery discovery{kInterval, 1};
  std::vector<RouterEvent> events;
  Nanoseconds now = 1'000'000 * kMillisecond;

  Subject() {
    EXPECT_EQ(discovery.Open(), 0);
    EXPECT(Eventually([this] { return HasAddress(); }));
  }

  // The kernel gives it one when duplicate address detection has ended.
  bool HasAddress() {
    now += kInterval;
    discovery.SetInterfaces({"near"}, now);
    (void)discovery.SendDue(now, [](const RouterEvent&) {});
    return Sends(134);
  }

  static bool IsRouterMessage(const std::vector<uint8_t>& frame, uint8_t type) {
    return frame.size() > kIcmp && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 58 && frame[kIcmp] == type;
  }

  Nanoseconds Run() {
    const auto sink = [this](const RouterEvent& event) { events.push_back(event); };
    discovery.Receive(now, sink);
    return discovery.SendDue(now, sink);
  }

  // Whether a message of the type is sent; the frame is kept.
  bool Sends(uint8_t type) {
    sent_ = cable.Receive([type](const auto& frame) { return IsRouterMessage(frame, type); }, 100);
    return !sent_.empty();
  }

  std::vector<uint8_t> sent_;
};

}  // namespace

NETWORK_TEST(
    "an advertisement goes to all nodes with hop limit 255 and our link-local address, and a solicitation too") {
  Subject subject;
  subject.now += kInterval;
  (void)subject.Run();
  EXPECT(subject.Sends(134));
  const auto frame = subject.sent_;
  EXPECT_EQ(ToHex(std::span(frame).first(12)), ToHex("333300000001 02000000000f"));
  EXPECT_EQ(frame[kHopLimitOffset], 255);
  EXPECT_EQ(ToHex(std::span(frame).subspan(22, 2)), std::string("fe80"));
  auto summed = frame;
  Rechecksum(summed);
  EXPECT_EQ(ToHex(summed), ToHex(frame));
  EXPECT_EQ(ToHex(std::span(frame).subspan(kIcmp + 4)), ToHex("00 00 0000 00000000 00000000 0101 02000000000f"));
}

NETWORK_TEST("a router is told of once, and what is heard last comes first") {
  Subject subject;
  subject.now += kInterval;
  (void)subject.Run();
  const auto hear = [&](uint8_t last) {
    subject.cable.Send(Advertisement(last));
    EXPECT(Eventually([&] {
      (void)subject.Run();
      const auto heard = subject.discovery.Heard();
      return !heard.empty() && heard.front().address.bytes[15] == last;
    }));
  };
  hear(0x0c);
  hear(0x0d);
  hear(0x0c);
  EXPECT_EQ(subject.events.size(), 2u);
  EXPECT_EQ(Format(subject.events.at(0).address), std::string("fe80::c"));
  EXPECT_EQ(subject.events.at(0).name, std::string("near"));
  EXPECT_EQ(subject.discovery.Heard().size(), 2u);
}

NETWORK_TEST("what has passed a router is not heard, and made-up addresses do not drive out those of routers") {
  Subject subject;
  subject.now += kInterval;
  (void)subject.Run();
  for (int last = 1; last <= 100; last++) {
    subject.cable.Send(Advertisement(static_cast<uint8_t>(last), 254));
    if (last >= 50) subject.cable.Send(Advertisement(static_cast<uint8_t>(last)));
  }
  EXPECT(Eventually([&] {
    (void)subject.Run();
    return subject.events.size() == 8;
  }));
  (void)subject.Run();
  EXPECT_EQ(subject.events.size(), 8u);
  EXPECT_EQ(Format(subject.events.at(0).address), std::string("fe80::32"));
}

NETWORK_TEST("whoever asks is answered, and not more often than every 3 s") {
  Subject subject;
  subject.now += kInterval;
  const Nanoseconds first = subject.now;
  (void)subject.Run();
  EXPECT(subject.Sends(134));
  auto question =
      Hex("333300000002 02000000000c 86dd 60000000 0008 3a ff"
          "fe80000000000000000000000000000c ff020000000000000000000000000002"
          "85 00 0000 00000000");
  Rechecksum(question);
  subject.cable.Send(question);
  // It is asked for at the earliest time that is permitted, not after an interval.
  EXPECT(Eventually([&] { return subject.Run() <= first + 3'000 * kMillisecond; }));
  EXPECT(!subject.Sends(134));
  subject.now = first + 3'000 * kMillisecond;
  (void)subject.Run();
  EXPECT(subject.Sends(134));
}

NETWORK_TEST("an interface that is not there is told of once, and found when it comes") {
  RouterDiscovery discovery(kInterval, 1);
  EXPECT_EQ(discovery.Open(), 0);
  std::vector<RouterEvent> events;
  const auto sink = [&](const RouterEvent& event) { events.push_back(event); };
  Nanoseconds now = 1;
  discovery.SetInterfaces({"near"}, now);
  for (int i = 0; i < 3; i++) now = discovery.SendDue(now, sink);
  EXPECT_EQ(events.size(), 1u);
  EXPECT_EQ(events.at(0).failure.error, ENODEV);
  const Cable cable;
  EXPECT(Eventually([&] {
    now = discovery.SendDue(now, sink);
    return !cable.Receive([](const auto& frame) { return Subject::IsRouterMessage(frame, 134); }, 20).empty();
  }));
}

NETWORK_TEST("what an interface that is gone took of the kernel's memory is given back, however often it is replaced") {
  RouterDiscovery discovery(kInterval, 1);
  EXPECT_EQ(discovery.Open(), 0);
  const auto memory = [&discovery] {
    std::array<uint32_t, SK_MEMINFO_VARS> values{};
    socklen_t size = sizeof values;
    EXPECT_EQ(getsockopt(discovery.fd(), SOL_SOCKET, SO_MEMINFO, values.data(), &size), 0);
    return values[SK_MEMINFO_OPTMEM];
  };
  Nanoseconds now = 1;
  std::vector<uint32_t> taken;
  for (int i = 0; i < 3; i++) {
    const Cable cable;
    now += kInterval;
    discovery.SetInterfaces({"near"}, now);
    (void)discovery.SendDue(now, [](const RouterEvent&) {});
    taken.push_back(memory());
  }
  EXPECT(taken.at(0) > 0);
  EXPECT_EQ(taken.at(2), taken.at(0));
}

}  // namespace garpoon::test
