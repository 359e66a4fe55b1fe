// The real thread on a real (virtual) cable.
#include "../responder.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>

#include "check.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

std::string Describe(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kInterface:
      return Name(event.change);
    case Event::Kind::kConflict:
      return "conflict " + Format(*event.address) + " " + Format(event.mac);
    case Event::Kind::kAnswer:
      return "answer " + Format(*event.address) + " " + Format(event.mac);
    case Event::Kind::kLapse:
      return "lapse";
    case Event::Kind::kBfd:
      return "bfd " + event.bfd.id + " " + Name(event.bfd.state);
    case Event::Kind::kError:
      return event.failure.operation;
  }
  return "";
}

class Events {
 public:
  EventSink sink() {
    return [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      text_ += event.name + ":" + Describe(event) + " ";
      return true;
    };
  }
  // The packet thread stops at its next event for as long as the lock is held.
  std::unique_lock<std::mutex> Hold() { return std::unique_lock(mutex_); }

  bool Has(const char* what) {
    const std::lock_guard lock(mutex_);
    return text_.find(what) != std::string::npos;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

// A responder with a fast schedule, and the memory it counts in.
struct Subject {
  std::shared_ptr<Stats> stats = std::make_shared<Stats>();
  Events events;
  std::unique_ptr<Responder> responder;

  explicit Subject(ResponderOptions options = {}) {
    options.exclude_interfaces = {"far"};
    options.schedule.rounds = 2;
    options.schedule.interval = 50 * kMillisecond;
    Failure failure;
    responder = Responder::Start(std::move(options), stats, events.sink(), failure);
    if (responder == nullptr) std::printf("    %s: errno %d\n", failure.operation, failure.error);
  }

  void Announce(const std::vector<const char*>& addresses, const InterfaceSet& interfaces = {}) {
    std::vector<Announcement> announcements;
    for (const char* address : addresses) announcements.push_back({test::Ip(address), 0});
    const uint64_t swaps = stats->Get(Counter::kTableSwaps);
    responder->SetTable(std::move(announcements), {interfaces});
    EXPECT(Eventually([&] { return stats->Get(Counter::kTableSwaps) > swaps; }));
  }
};

bool IsArpReply(const std::vector<uint8_t>& frame) {
  return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 2 && frame[0] == 2;
}

bool IsAnswer(const std::vector<uint8_t>& frame) {
  return IsArpReply(frame) || (frame.size() == 86 && frame[12] == 0x86 && frame[54] == 136 && frame[0] == 2);
}

bool IsGratuitous(const std::vector<uint8_t>& frame) {
  return frame.size() >= 42 && frame[12] == 8 && frame[13] == 6 && frame[0] == 0xff && frame[6] == 2;
}

// Asks until there is an answer, one second at most: right after a change of the interface a frame may be lost.
std::string Ask(const Cable& cable, std::string_view request) {
  for (int attempt = 0; attempt < 20; attempt++) {
    cable.Send(Hex(request));
    const auto answer = cable.Receive(IsAnswer, 50);
    if (!answer.empty()) return ToHex(answer);
  }
  return "";
}

std::string SenderOf(const std::string& frame) { return frame.substr(12, 12); }

size_t PacketSockets() {
  const std::string text = ReadAll("/proc/self/net/packet");
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) - 1;
}

}  // namespace

NETWORK_TEST("answers ARP and NDP as the kernel does") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5", "2001:db8::5"});
  EXPECT_EQ(Ask(cable, kArpRequestHex).substr(0, 84), ToHex(kArpReplyHex));
  EXPECT_EQ(Ask(cable, kSolicitationHex), ToHex(kAdvertisementHex));
}

NETWORK_TEST("has a socket only where an address of the family is announced") {
  const Cable cable;
  Subject subject;
  const size_t before = PacketSockets();
  const struct {
    std::vector<const char*> addresses;
    size_t sockets;
  } rows[] = {{{}, 0}, {{"198.18.0.5"}, 1}, {{"198.18.0.5", "2001:db8::5"}, 2}, {{"2001:db8::5"}, 1}, {{}, 0}};
  for (const auto& row : rows) {
    subject.Announce(row.addresses);
    EXPECT(Eventually([&] { return PacketSockets() == before + row.sockets; }));
  }
}

NETWORK_TEST("does not answer what is announced elsewhere, for another host, or in another VLAN") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.6"});
  subject.Announce({"198.18.0.5"}, {"eth7"});
  subject.responder->SetTable({{test::Ip("198.18.0.5"), 0}, {test::Ip("198.18.0.6"), 1}},
                              {InterfaceSet{"eth7"}, InterfaceSet{"near"}});
  EXPECT(Eventually([&] { return subject.stats->Get(Counter::kTableSwaps) == 3; }));
  cable.Send(Hex(kArpRequestHex));
  auto other_host = Hex(kArpRequestHex);
  other_host[41] = 6;
  auto tagged = other_host;
  other_host[0] = 2;
  cable.Send(other_host);
  const auto tag = Hex("81000064");
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  cable.Send(tagged);
  EXPECT(cable.Receive(IsArpReply, 200).empty());
  EXPECT_EQ(subject.stats->Get(DropReason::kWrongInterface), 1u);
  EXPECT_EQ(subject.stats->Get(Counter::kArpReceived), 1u);  // the kernel's filter kept the others away
}

NETWORK_TEST("loses no request while tables are swapped, and never mixes two") {
  const Cable cable;
  Subject subject;
  // 198.18.0.5 is in every table, on the set of all interfaces, whose index is 0 in one table and 1 in the next: an
  // answer from a mixture of two would look up the wrong set.
  subject.Announce({"198.18.0.5"});
  std::atomic<bool> done = false;
  std::atomic<int> swaps = 0;
  std::thread swapper([&] {
    while (!done) {
      const uint16_t everywhere = swaps % 2 == 0 ? 0 : 1;
      std::vector<InterfaceSet> sets(2);
      sets[everywhere == 0 ? 1 : 0] = {"eth7"};
      std::vector<Announcement> announcements;
      for (uint8_t i = 1; i < 200; i++) {
        announcements.push_back({test::Ip("198.18.0.0"), everywhere});
        announcements.back().address.bytes[3] = i;
      }
      subject.responder->SetTable(std::move(announcements), std::move(sets));
      swaps += 1;
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  int lost = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  int asked = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    cable.Send(Hex(kArpRequestHex));
    asked += 1;
    lost += cable.Receive(IsArpReply, 1000).empty();
  }
  done = true;
  swapper.join();
  EXPECT_EQ(lost, 0);
  EXPECT(asked > 100);
  EXPECT(swaps > 100);
}

NETWORK_TEST("follows the interface: off and on, another MAC address, another name, gone and back") {
  std::optional<Cable> cable(std::in_place);
  Subject subject;
  subject.Announce({"198.18.0.5", "2001:db8::5"});
  RunIp("link set near down");
  EXPECT(Eventually([&] { return subject.events.Has("near:down"); }));
  RunIp("link set near up");
  EXPECT(Eventually([&] { return subject.events.Has("near:up"); }));
  EXPECT(!cable->Receive(IsGratuitous, 1000).empty());
  EXPECT_EQ(SenderOf(Ask(*cable, kArpRequestHex)), "02000000000f");

  RunIp("link set near address 02:00:00:00:00:aa");
  EXPECT(Eventually([&] { return subject.events.Has("near:mac"); }));
  EXPECT(!cable->Receive([](const auto& frame) { return IsGratuitous(frame) && frame[11] == 0xaa; }, 1000).empty());
  EXPECT_EQ(SenderOf(Ask(*cable, kArpRequestHex)), "0200000000aa");
  EXPECT_EQ(SenderOf(Ask(*cable, kSolicitationHex)), "0200000000aa");

  RunIp("link set near down");
  RunIp("link set near name wan");
  RunIp("link set wan up");
  EXPECT(Eventually([&] { return subject.events.Has("wan:renamed"); }));
  EXPECT_EQ(SenderOf(Ask(*cable, kArpRequestHex)), "0200000000aa");

  RunIp("link del far");
  EXPECT(Eventually([&] { return subject.events.Has("wan:removed"); }));
  cable.emplace();
  EXPECT_EQ(SenderOf(Ask(*cable, kArpRequestHex)), "02000000000f");
  EXPECT_EQ(SenderOf(Ask(*cable, kSolicitationHex)), "02000000000f");
}

NETWORK_TEST("a port of a bridge is silent, and the bridge answers") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"}, {"near", "br0"});
  RunIp("link add br0 address 02:00:00:00:00:bb type bridge");
  RunIp("link set br0 up");
  RunIp("link set near master br0");
  EXPECT(Eventually([&] { return SenderOf(Ask(cable, kArpRequestHex)) == "0200000000bb"; }));
  const auto links = subject.responder->Links();
  for (const auto& [link, ineligible, only_by_name] : *links) {
    if (link.name == "near") EXPECT_EQ(ineligible, Ineligible::kEnslaved);
  }
  RunIp("link set near nomaster");
  EXPECT(Eventually([&] { return SenderOf(Ask(cable, kArpRequestHex)) == "02000000000f"; }));
  RunIp("link del br0");
}

NETWORK_TEST("joins the solicited-node groups of what it announces") {
  const Cable cable;
  Subject subject;
  const auto in_group = [] {
    return ReadAll("/proc/self/net/igmp6").find("ff0200000000000000000001ffaabbcc") != std::string::npos;
  };
  subject.Announce({"2001:db8::aa:bbcc"});
  EXPECT(Eventually(in_group));
  RunIp("link set near mtu 1000");
  EXPECT(Eventually([&] { return !in_group(); }));
  RunIp("link set near mtu 1500");
  EXPECT(Eventually(in_group));
  subject.Announce({});
  EXPECT(Eventually([&] { return !in_group(); }));
}

NETWORK_TEST("announces on demand, in rounds, and not what it does not answer for") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"});
  subject.responder->Announce({test::Ip("198.18.0.5"), test::Ip("198.18.0.99")});
  EXPECT(Eventually([&] { return subject.stats->Get(Counter::kGratuitousArpSent) == 4; }));
  std::vector<uint8_t> frame;
  int seen = 0;
  while (!(frame = cable.Receive(IsGratuitous, 200)).empty()) {
    seen += 1;
    EXPECT_EQ(ToHex(frame).substr(2 * 28, 8), "c6120005");
  }
  EXPECT_EQ(seen, 4);
}

NETWORK_TEST("announces no more what it no longer has, or no longer has here") {
  const Cable cable;
  Subject subject;
  const auto table = [&](bool held, const InterfaceSet& interfaces) {
    const uint64_t swaps = subject.stats->Get(Counter::kTableSwaps);
    subject.responder->SetTable({{test::Ip("198.18.0.5"), 0, held}, {test::Ip("2001:db8::5"), 1}},
                                {InterfaceSet{"near", "wan"}, interfaces});
    EXPECT(Eventually([&] { return subject.stats->Get(Counter::kTableSwaps) > swaps; }));
  };
  const auto sent = [&] { return subject.stats->Get(Counter::kGratuitousArpSent); };
  const auto sent_ipv6 = [&] { return subject.stats->Get(Counter::kUnsolicitedNaSent); };
  table(false, {"near"});
  subject.responder->Announce({test::Ip("198.18.0.5"), test::Ip("2001:db8::5")}, 1000);
  EXPECT(Eventually([&] { return sent() >= 4 && sent_ipv6() >= 1; }));
  // The IPv6 address belongs to the old name only, so its socket goes while its rounds are under way.
  const size_t sockets = PacketSockets();
  RunIp("link set near name wan");
  EXPECT(Eventually([&] { return PacketSockets() == sockets - 1; }));
  const uint64_t renamed = sent();
  EXPECT(Eventually([&] { return sent() >= renamed + 4; }));
  const uint64_t ipv6 = sent_ipv6();
  table(true, {"near"});
  const uint64_t held = sent();
  subject.responder->Probe({test::Ip("198.18.0.5")});
  EXPECT(Eventually([&] { return subject.stats->Get(Counter::kProbesSent) == 3; }));
  EXPECT_EQ(sent(), held);
  EXPECT_EQ(sent_ipv6(), ipv6);
}

NETWORK_TEST("tells the neighbours after a flap that was over before it was looked at") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"});
  EXPECT(!Ask(cable, kArpRequestHex).empty());
  auto held = subject.events.Hold();
  RunIp("link add br9 type bridge");  // the event of which the packet thread is held at
  RunIp("link set near down\nlink set near up");
  held.unlock();
  EXPECT(Eventually([&] { return subject.stats->Get(Counter::kGratuitousArpSent) >= 4; }));
  RunIp("link del br9");
}

NETWORK_TEST("is at rest again after a storm of solicitations too long for the ring") {
  const Cable cable;
  Subject subject;
  subject.Announce({"2001:db8::5"});
  EXPECT(!Ask(cable, kSolicitationHex).empty());
  auto frame = Hex(kSolicitationHex);
  frame.resize(1200);
  auto held = subject.events.Hold();
  RunIp("link add br9 type bridge");
  for (int i = 0; i < 6000; i++) cable.Send(frame);
  held.unlock();
  RunIp("link del br9");
  EXPECT(!Ask(cable, kSolicitationHex).empty());
  EXPECT(Eventually([&] {
    const uint64_t wakeups = subject.stats->Get(Counter::kWakeups);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return subject.stats->Get(Counter::kWakeups) < wakeups + 10;
  }));
}

NETWORK_TEST("tells who else claims an address of the table, held or not, and of nobody else") {
  const Cable cable;
  Subject subject;
  subject.responder->SetTable({{test::Ip("198.18.0.5"), 0}, {test::Ip("198.18.0.6"), 0, true}}, {InterfaceSet{}});
  EXPECT(Eventually([&] { return subject.stats->Get(Counter::kTableSwaps) == 1; }));
  const auto claim = [](uint8_t address, uint8_t mac) {
    auto frame = Hex(kArpRequestHex);
    frame[11] = frame[27] = mac;
    std::copy_n(Hex("c61200").begin(), 3, frame.begin() + 28);
    frame[31] = frame[41] = address;
    return frame;
  };
  cable.Send(claim(5, 0x77));
  cable.Send(claim(5, 0x0f));  // our own MAC address
  cable.Send(claim(7, 0x78));  // not in the table
  cable.Send(claim(6, 0x79));
  EXPECT(Eventually([&] { return subject.events.Has("near:conflict 198.18.0.6 02:00:00:00:00:79"); }));
  EXPECT(subject.events.Has("near:conflict 198.18.0.5 02:00:00:00:00:77"));
  EXPECT_EQ(subject.stats->Get(Counter::kConflictsReported), 2u);
  auto request = Hex(kArpRequestHex);
  request[41] = 6;
  cable.Send(request);
  EXPECT(Eventually([&] { return subject.stats->Get(DropReason::kHeld) == 1; }));
}

NETWORK_TEST("asks for an address three times and announces nothing meanwhile") {
  const Cable cable;
  Subject subject;
  subject.responder->SetTable({{test::Ip("198.18.0.5"), 0, true}}, {InterfaceSet{}});
  subject.responder->Probe({test::Ip("198.18.0.5"), test::Ip("198.18.0.99")});
  for (int i = 0; i < 3; i++) {
    const auto frame = cable.Receive(IsGratuitous, 3000);
    EXPECT_EQ(ToHex(frame).substr(2 * 28, 8), "00000000");  // a probe has no sender address
    EXPECT_EQ(ToHex(frame).substr(2 * 38, 8), "c6120005");
  }
  EXPECT_EQ(subject.stats->Get(Counter::kProbesSent), 3u);
  EXPECT_EQ(subject.stats->Get(Counter::kGratuitousArpSent), 0u);
}

NETWORK_TEST("falls silent when its owner is, and stays so until there is a new table") {
  const Cable cable;
  Subject subject({.deadline = 300 * kMillisecond});
  subject.Announce({"198.18.0.5"});
  EXPECT(!Ask(cable, kArpRequestHex).empty());
  EXPECT(Eventually([&] { return subject.responder->GetStatus().silent; }));
  cable.Send(Hex(kArpRequestHex));
  EXPECT(Eventually([&] { return subject.stats->Get(DropReason::kSilent) > 0; }));
  EXPECT(!subject.responder->Renew());
  EXPECT_EQ(subject.stats->Get(Counter::kSilences), 1u);
  subject.Announce({"198.18.0.5"});
  EXPECT(!Ask(cable, kArpRequestHex).empty());
  EXPECT(subject.responder->Renew());
}

NETWORK_TEST("is silent from the moment its thread runs again after a lapse, until there is a table made since") {
  for (const Nanoseconds deadline : {Nanoseconds{0}, 60'000 * kMillisecond}) {
    const Cable cable;
    Subject subject({.deadline = deadline, .lapse = 200 * kMillisecond});
    subject.Announce({"198.18.0.5"});
    EXPECT(!Ask(cable, kArpRequestHex).empty());
    while (!cable.Receive(IsArpReply, 50).empty()) {
    }
    // The packet thread is held at the event of the interface.
    auto held = subject.events.Hold();
    RunIp("link add br9 type bridge");
    cable.Send(Hex(kArpRequestHex));
    subject.responder->SetTable({{test::Ip("198.18.0.5"), 0}}, {InterfaceSet{}});  // by one who knows nothing of it
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    cable.Send(Hex(kArpRequestHex));
    held.unlock();
    EXPECT(Eventually([&] { return subject.events.Has(":lapse"); }));
    EXPECT(Eventually([&] { return subject.stats->Get(Counter::kTableSwaps) == 2; }));
    cable.Send(Hex(kArpRequestHex));
    EXPECT(Eventually([&] { return subject.stats->Get(DropReason::kSilent) == 3; }));
    EXPECT(cable.Receive(IsArpReply, 50).empty());
    EXPECT(!subject.responder->Renew());
    EXPECT(subject.responder->GetStatus().silent);
    EXPECT_EQ(subject.stats->Get(Counter::kLapses), 1u);
    subject.Announce({"198.18.0.5"});
    EXPECT(!Ask(cable, kArpRequestHex).empty());
    EXPECT(subject.responder->Renew());
    RunIp("link del br9");
  }
}

NETWORK_TEST("asks for addresses of others, and tells who answers, while it answers for its own") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"});
  const IpAddress asked[] = {test::Ip("198.18.0.77"), test::Ip("2001:db8::77")};
  EXPECT(Eventually([&] { return subject.responder->GetStatus().filters[0] == SocketFilter::Form::kExact; }));
  EXPECT_EQ(subject.responder->Ask(asked, {"eth7"}), 2u);
  EXPECT_EQ(subject.responder->Ask(asked, {"near"}), 2u);
  const auto is_question = [](const std::vector<uint8_t>& frame) {
    return IsGratuitous(frame) || (frame.size() == 86 && frame[12] == 0x86 && frame[54] == 135);
  };
  for (int i = 0; i < 2; i++) EXPECT(!cable.Receive(is_question, 5000).empty());
  auto reply = Hex(kArpReplyHex);
  for (const auto& [at, mac] : {std::pair{0, kOwnMac}, {6, kHostMac}, {22, kHostMac}, {32, kOwnMac}}) {
    std::ranges::copy(mac.bytes, reply.begin() + at);
  }
  reply[31] = 77;
  for (int i = 0; i < 1000; i++) cable.Send(reply);
  EXPECT(!Ask(cable, kArpRequestHex).empty());
  EXPECT(Eventually([&] { return subject.events.Has("near:answer 198.18.0.77 02:00:00:00:00:0c"); }));
  EXPECT_EQ(subject.stats->Get(Counter::kArpReceived), subject.stats->Get(Counter::kArpAnswered));
  // It ends with questions open.
  EXPECT_EQ(subject.responder->Ask(asked, {}), 2u);
}

NETWORK_TEST("counts by address, and is read meanwhile") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"});
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) (void)subject.responder->PackAddressStats();
  });
  for (int i = 0; i < 100; i++) {
    subject.Announce(i % 2 == 0 ? std::vector{"198.18.0.5", "198.18.0.6"} : std::vector{"198.18.0.5"});
    EXPECT(!Ask(cable, kArpRequestHex).empty());
  }
  done = true;
  reader.join();
  const auto packed = subject.responder->PackAddressStats();
  uint64_t requests = 0, responses = 0;
  std::memcpy(&requests, &packed[24], 8);
  std::memcpy(&responses, &packed[32], 8);
  EXPECT_EQ(packed.size(), 2 * kPackedStatsSize);
  EXPECT_EQ(responses, subject.stats->Get(Counter::kArpAnswered));
  EXPECT_EQ(requests, responses);
}

NETWORK_TEST("a filter lets the new address through before it knows only the addresses of the table") {
  const Cable cable;
  Subject subject;
  for (const char* form : {"exact", "exact"}) {
    subject.Announce({"198.18.0.5"});
    EXPECT(!Ask(cable, kArpRequestHex).empty());
    EXPECT(Eventually([&] { return std::string(Name(subject.responder->GetStatus().filters[0])) == form; }));
    EXPECT(!Ask(cable, kArpRequestHex).empty());
    subject.Announce({"198.18.0.6"});
  }
  const uint64_t received = subject.stats->Get(Counter::kArpReceived);
  EXPECT(Eventually([&] { return std::string(Name(subject.responder->GetStatus().filters[0])) == "exact"; }));
  cable.Send(Hex(kArpRequestHex));
  auto other = Hex(kArpRequestHex);
  other[41] = 6;
  EXPECT(!Ask(cable, ToHex(other)).empty());
  EXPECT(subject.stats->Get(Counter::kArpReceived) <= received + 2);
}

NETWORK_TEST("at rest it does not wake") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5", "2001:db8::5"});
  // The interface's own start-up goes on for a second or two: address detection, router solicitation.
  uint64_t wakeups = 0;
  EXPECT(Eventually([&] {
    wakeups = subject.stats->Get(Counter::kWakeups);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return subject.stats->Get(Counter::kWakeups) == wakeups;
  }));
}

NETWORK_TEST("stops at any moment, under traffic, again and again") {
  const Cable cable;
  std::atomic<bool> done = false;
  std::thread traffic([&] {
    while (!done) {
      cable.Send(Hex(kArpRequestHex));
      cable.Send(Hex(kSolicitationHex));
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  const size_t before = PacketSockets();
  for (int i = 0; i < 50; i++) {
    Subject subject;
    subject.responder->SetTable({{test::Ip("198.18.0.5"), 0}, {test::Ip("2001:db8::5"), 0}}, {InterfaceSet{}});
    subject.responder->Announce({test::Ip("198.18.0.5")});
    std::this_thread::sleep_for(std::chrono::microseconds(i * 200));
    subject.responder->Stop();
    subject.responder->Stop();
  }
  done = true;
  traffic.join();
  EXPECT_EQ(PacketSockets(), before);
}

NETWORK_TEST("catches up when the kernel's notifications overrun") {
  const Cable cable;
  Subject subject;
  subject.Announce({"198.18.0.5"});
  auto held = subject.events.Hold();
  std::string commands = "link set far down\n";  // the event of which the packet thread is held at
  for (int i = 0; i < 1000; i++) commands += "link set near alias a" + std::to_string(i) + "\n";
  commands += "link set near address 02:00:00:00:00:ee\nlink set far up";
  RunIp(commands);
  held.unlock();
  EXPECT(Eventually([&] { return SenderOf(Ask(cable, kArpRequestHex)) == "0200000000ee"; }));
  EXPECT(subject.stats->Get(Counter::kLinkResyncs) > 0);
}

}  // namespace garpoon::test
