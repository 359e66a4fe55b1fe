// Whole tables in simulated time: a network between them that delays, loses and reorders.
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "../bfd_table.h"
#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

struct Conditions {
  double loss = 0;
  Nanoseconds least_delay = 100'000;
  Nanoseconds most_delay = 100'000;  // when it is more, what is sent later may come sooner
};

class Node;

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  Nanoseconds now = 1'000'000 * kMillisecond;
  Conditions conditions;
  bool cut = false;

  Node& Add(const char* address);
  void Run(Nanoseconds duration);
  void Carry(const IpAddress& from, const IpAddress& to, std::span<const uint8_t> bytes);
  // There and, where that is returned, back.
  void CarryEcho(const IpAddress& from, const IpAddress& by, std::span<const uint8_t> datagram);
  uint64_t Random() { return random_(); }
  double Chance() { return std::uniform_real_distribution<>(0, 1)(random_); }

 private:
  struct Parcel {
    Nanoseconds at;
    uint64_t order;
    IpAddress from, to;
    std::vector<uint8_t> bytes;
    bool echo = false;
    bool operator<(const Parcel& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };
  std::mt19937_64 random_;
  uint64_t order_ = 0;
  std::priority_queue<Parcel> parcels_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

class Node : BfdEnvironment {
 public:
  Node(World& world, const char* address) : world_(world), address_(Ip(address)), table_(*this, unclaimed) {}

  std::shared_ptr<BfdReport> unclaimed = std::make_shared<BfdReport>();
  std::map<std::string, std::shared_ptr<BfdReport>> reports;
  std::vector<BfdEvent> events;
  Nanoseconds frozen_until = 0;
  uint8_t ttl = 255;  // of what it hears
  bool forwards = true;
  bool returns_echoes = true;  // whatever it tells
  int returned = 0;            // of those that were addressed to it
  std::vector<uint8_t> last_echo;

  BfdTable& table() { return table_; }
  [[nodiscard]] const IpAddress& address() const { return address_; }

  void Apply(const std::vector<BfdSettings>& sessions) {
    std::vector<BfdWish> wishes;
    for (const BfdSettings& settings : sessions) {
      auto& report = reports[settings.id];
      if (report == nullptr) report = std::make_shared<BfdReport>();
      wishes.push_back({settings, report});
    }
    table_.Apply(std::move(wishes), world_.now);
  }

  uint64_t Get(BfdField field, const std::string& id = "peer") { return reports[id]->Get(field); }
  BfdState state(const std::string& id = "peer") { return static_cast<BfdState>(Get(BfdField::kState, id)); }

  void Deliver(const IpAddress& from, std::vector<uint8_t> bytes) {
    buffer_.emplace_back(from, std::move(bytes));
    if (world_.now >= frozen_until) TakeArrived();
  }
  [[nodiscard]] Nanoseconds Deadline() const { return std::max(table_.Deadline(), frozen_until); }
  void Wake() { table_.RunDue(world_.now); }
  void LoseBuffer() {
    buffer_.clear();
    echoes_.clear();
  }
  void DeliverEcho(std::vector<uint8_t> datagram) {
    last_echo = datagram;
    echoes_.push_back(std::move(datagram));
    if (world_.now >= frozen_until) TakeArrived();
  }

 private:
  bool Send(uint32_t, const BfdSettings& settings, std::span<const uint8_t> packet) override {
    world_.Carry(address_, settings.peer.address, packet);
    return true;
  }
  bool SendEcho(uint32_t, const BfdEchoPath& path, std::span<const uint8_t> datagram) override {
    world_.CarryEcho(address_, path.peer, datagram);
    return true;
  }
  bool ReturnsEchoes(const BfdEchoPath&) override { return forwards; }
  bool ReturnEcho(const BfdDatagram&) override { return ++returned > 0; }
  void Forget(uint32_t) override {}
  void TakeArrived() override {
    for (const auto& [from, bytes] : std::exchange(buffer_, {})) {
      table_.Receive({from, address_, 2, 7950, 0, ttl, bytes}, world_.now);
    }
    for (const auto& bytes : std::exchange(echoes_, {})) table_.ReceiveEcho(bytes, 2, world_.now);
  }
  int InterfaceIndex(const std::string& name) override { return name == "eth0" ? 2 : 3; }
  uint64_t Random() override { return world_.Random(); }
  uint64_t WallTime() override { return world_.now; }
  void Tell(const BfdEvent& event) override { events.push_back(event); }

  World& world_;
  const IpAddress address_;
  std::vector<std::pair<IpAddress, std::vector<uint8_t>>> buffer_;
  std::vector<std::vector<uint8_t>> echoes_;
  BfdTable table_;
};

Node& World::Add(const char* address) { return *nodes_.emplace_back(std::make_unique<Node>(*this, address)); }

void World::Carry(const IpAddress& from, const IpAddress& to, std::span<const uint8_t> bytes) {
  if (cut || Chance() < conditions.loss) return;
  const Nanoseconds spread = conditions.most_delay - conditions.least_delay;
  const Nanoseconds delay = conditions.least_delay + random_() % (spread + 1);
  parcels_.push({now + delay, order_++, from, to, {bytes.begin(), bytes.end()}});
}

void World::CarryEcho(const IpAddress& from, const IpAddress& by, std::span<const uint8_t> datagram) {
  if (cut || Chance() < conditions.loss) return;
  parcels_.push({now + 100'000, order_++, from, by, {datagram.begin(), datagram.end()}, true});
}

void World::Run(Nanoseconds duration) {
  const Nanoseconds end = now + duration;
  for (;;) {
    Nanoseconds next = parcels_.empty() ? kNever : parcels_.top().at;
    for (const auto& node : nodes_) next = std::min(next, std::max(node->Deadline(), now));
    if (next > end) break;
    now = std::max(now, next);
    while (!parcels_.empty() && parcels_.top().at <= now) {
      const Parcel parcel = parcels_.top();
      parcels_.pop();
      for (const auto& node : nodes_) {
        if (node->address() != parcel.to) continue;
        if (!parcel.echo) {
          node->Deliver(parcel.from, parcel.bytes);
        } else if (parcel.from == parcel.to) {
          node->DeliverEcho(parcel.bytes);
        } else if (node->returns_echoes && !cut) {
          // Its forwarding is not its process, which may be frozen.
          std::vector<uint8_t> returned = parcel.bytes;
          returned[8] -= 1;
          parcels_.push({now + 100'000, order_++, parcel.from, parcel.from, returned, true});
        }
      }
    }
    for (const auto& node : nodes_) {
      if (node->Deadline() <= now) node->Wake();
    }
  }
  now = end;
}

BfdSettings Towards(const Node& peer, uint32_t interval = 100'000, uint8_t multiplier = 3) {
  BfdSettings settings;
  settings.id = "peer";
  settings.peer = {peer.address(), "", 7950};
  settings.port = 7950;
  settings.parameters = {.desired_min_tx = interval, .required_min_rx = interval, .detect_multiplier = multiplier};
  return settings;
}

constexpr Nanoseconds kSecond = 1000 * kMillisecond;

struct Pair {
  World world;
  Node& a;
  Node& b;
  explicit Pair(uint64_t seed) : world(seed), a(world.Add("192.0.2.1")), b(world.Add("192.0.2.2")) {}

  void Connect(uint32_t interval = 100'000, uint8_t multiplier = 3) {
    a.Apply({Towards(b, interval, multiplier)});
    b.Apply({Towards(a, interval, multiplier)});
  }
  bool BothUp() { return a.state() == BfdState::kUp && b.state() == BfdState::kUp; }
  uint64_t Flaps() { return a.Get(BfdField::kFlaps) + b.Get(BfdField::kFlaps); }
};

// Says with which seed it went wrong.
template <typename Body>
void ForSeeds(uint64_t count, Body body) {
  for (uint64_t seed = 1; seed <= count; seed++) {
    const int before = Failures();
    body(seed);
    if (Failures() == before) continue;
    std::printf("    with seed %llu\n", static_cast<unsigned long long>(seed));
    return;
  }
}

}  // namespace

TEST("two are up at once, and stay up with their own timers") {
  ForSeeds(20, [](uint64_t seed) {
    Pair pair(seed);
    pair.Connect();
    pair.world.Run(20 * kMillisecond);
    EXPECT(pair.BothUp());
    pair.world.Run(60 * kSecond);
    EXPECT(pair.BothUp());
    EXPECT_EQ(pair.Flaps(), 0u);
    for (Node* const node : {&pair.a, &pair.b}) {
      EXPECT_EQ(node->Get(BfdField::kTransmitInterval), 100 * kMillisecond);
      EXPECT_EQ(node->Get(BfdField::kDetectionTime), 300 * kMillisecond);
      // 60 s of 75 to 100 ms.
      EXPECT(node->Get(BfdField::kSent) > 600 && node->Get(BfdField::kSent) < 810);
      EXPECT(node->events.size() <= 3);
    }
  });
}

TEST("who is gone is missed within the detection time, whatever is lost before") {
  ForSeeds(40, [](uint64_t seed) {
    Pair pair(seed);
    pair.world.conditions.loss = 0.05;
    pair.Connect(50'000, 5);
    pair.world.Run(10 * kSecond + pair.world.Random() % kSecond);
    if (!pair.BothUp()) return;
    pair.a.events.clear();
    pair.world.cut = true;
    const Nanoseconds cut = pair.world.now;
    pair.world.Run(kSecond);
    EXPECT_EQ(pair.a.state(), BfdState::kDown);
    EXPECT(!pair.a.events.empty());
    const Nanoseconds after = pair.a.events.front().at - cut;
    EXPECT(after <= 253 * kMillisecond);
    EXPECT_EQ(pair.a.events.front().diagnostic, BfdDiagnostic::kDetectionTimeExpired);
    pair.world.cut = false;
    pair.world.Run(5 * kSecond);
    EXPECT(pair.BothUp());
  });
}

TEST("any loss, delay and change of timers is survived: once the network is good, both are up as asked") {
  ForSeeds(60, [](uint64_t seed) {
    Pair pair(seed);
    World& world = pair.world;
    const BfdAuthentication type = static_cast<BfdAuthentication>(world.Random() % 6);
    const auto wish = [&](const Node& peer) {
      constexpr uint32_t kIntervals[] = {1'000, 10'000, 50'000, 100'000, 700'000, 1'500'000};
      BfdSettings settings =
          Towards(peer, kIntervals[world.Random() % 6], static_cast<uint8_t>(1 + world.Random() % 5));
      settings.parameters.required_min_rx = kIntervals[world.Random() % 6];
      settings.parameters.demand = world.Random() % 4 == 0;
      settings.keyring.type = type;
      if (type != BfdAuthentication::kNone) settings.keyring.keys.emplace_back(1, Hex("736563726574"));
      return settings;
    };
    BfdSettings a = wish(pair.b), b = wish(pair.a);
    for (int step = 0; step < 8; step++) {
      world.conditions = {world.Chance() / 2, 10'000, 1 + 10'000 + world.Random() % (400 * kMillisecond)};
      world.cut = world.Random() % 8 == 0;
      if (world.Random() % 2 == 0) a = wish(pair.b);
      if (world.Random() % 2 == 0) b = wish(pair.a);
      pair.a.Apply({a});
      pair.b.Apply({b});
      world.Run(world.Random() % (3 * kSecond));
    }
    world.conditions = {};
    world.cut = false;
    world.Run(30 * kSecond);
    EXPECT(pair.BothUp());
    const uint64_t flaps = pair.Flaps();
    world.Run(10 * kSecond);
    EXPECT(pair.BothUp());
    EXPECT_EQ(pair.Flaps(), flaps);
    const auto& [a_tx, a_rx] = std::pair(a.parameters.desired_min_tx, a.parameters.required_min_rx);
    const auto& [b_tx, b_rx] = std::pair(b.parameters.desired_min_tx, b.parameters.required_min_rx);
    EXPECT_EQ(pair.a.Get(BfdField::kTransmitInterval), std::max(a_tx, b_rx) * kMicrosecond);
    EXPECT_EQ(pair.b.Get(BfdField::kTransmitInterval), std::max(b_tx, a_rx) * kMicrosecond);
    EXPECT_EQ(pair.a.Get(BfdField::kReceiveInterval), std::max(b_tx, a_rx) * kMicrosecond);
  });
}

TEST("timers are changed again and again without a flap") {
  ForSeeds(40, [](uint64_t seed) {
    Pair pair(seed);
    pair.Connect();
    pair.world.Run(5 * kSecond);
    for (int i = 0; i < 30; i++) {
      const uint32_t interval = 20'000 + static_cast<uint32_t>(pair.world.Random() % 500'000);
      Node& node = i % 2 == 0 ? pair.a : pair.b;
      node.Apply({Towards(i % 2 == 0 ? pair.b : pair.a, interval)});
      pair.world.Run(pair.world.Random() % kSecond);
    }
    EXPECT_EQ(pair.Flaps(), 0u);
  });
}

TEST("a stall of our own raises no alarm, whether what came meanwhile was kept or lost") {
  ForSeeds(40, [](uint64_t seed) {
    for (const bool kept : {true, false}) {
      Pair pair(seed);
      // b is patient, a is not.
      pair.a.Apply({Towards(pair.b, 50'000, 40)});
      pair.b.Apply({Towards(pair.a, 50'000, 3)});
      pair.world.Run(5 * kSecond);
      EXPECT(pair.BothUp());
      for (int i = 0; i < 10; i++) {
        const Nanoseconds stall = 200 * kMillisecond + pair.world.Random() % kSecond;
        pair.a.frozen_until = pair.world.now + stall;
        pair.world.Run(stall - 1);
        if (!kept) pair.a.LoseBuffer();
        pair.world.Run(kSecond);
      }
      EXPECT_EQ(pair.Flaps(), 0u);
      EXPECT(pair.a.Get(BfdField::kExcused) <= 10u);
      if (!kept) EXPECT(pair.a.Get(BfdField::kExcused) > 0u);
    }
  });
}

TEST("who goes during our own stall is missed soon after it, and so is who goes while we are always late") {
  ForSeeds(40, [](uint64_t seed) {
    Pair pair(seed);
    pair.Connect(50'000);
    pair.world.Run(5 * kSecond);
    pair.world.cut = true;
    pair.a.frozen_until = pair.world.now + kSecond;
    pair.world.Run(kSecond + 70 * kMillisecond);
    EXPECT_EQ(pair.a.state(), BfdState::kDown);

    Pair late(seed);
    late.Connect(50'000);
    late.world.Run(5 * kSecond);
    late.world.cut = true;
    for (int i = 0; i < 4; i++) {
      late.a.frozen_until = late.world.now + 200 * kMillisecond;
      late.world.Run(200 * kMillisecond);
    }
    EXPECT_EQ(late.a.state(), BfdState::kDown);
  });
}

TEST("a session that is wanted as before is not disturbed, and one that is not takes its leave") {
  Pair pair(1);
  World& world = pair.world;
  Node& c = world.Add("192.0.2.3");
  BfdSettings to_b = Towards(pair.b), to_c = Towards(c);
  to_b.id = "b";
  to_c.id = "c";
  pair.a.Apply({to_b, to_c});
  pair.b.Apply({Towards(pair.a)});
  c.Apply({Towards(pair.a)});
  world.Run(5 * kSecond);
  const uint64_t discriminator = pair.a.Get(BfdField::kDiscriminator, "b");
  c.events.clear();
  pair.a.Apply({to_b});
  world.Run(10 * kMillisecond);
  EXPECT_EQ(pair.a.Get(BfdField::kDiscriminator, "b"), discriminator);
  EXPECT_EQ(c.state(), BfdState::kDown);
  EXPECT_EQ(c.events.back().remote_state, BfdState::kAdminDown);
  EXPECT_EQ(pair.a.table().size(), 2u);
  world.Run(4 * kSecond);
  EXPECT_EQ(pair.a.table().size(), 1u);
  // Wanted again while it takes its leave: the new one is not mistaken for the old.
  pair.a.Apply({});
  pair.a.Apply({to_b, to_c});
  world.Run(5 * kSecond);
  EXPECT_EQ(pair.a.state("b"), BfdState::kUp);
  EXPECT_EQ(pair.a.state("c"), BfdState::kUp);
  EXPECT_EQ(pair.a.table().size(), 2u);
}

TEST("what is tied to the lease is down while it is held, also what comes meanwhile") {
  Pair pair(1);
  BfdSettings tied = Towards(pair.b);
  tied.tied_to_lease = true;
  pair.a.Apply({tied});
  pair.b.Apply({Towards(pair.a)});
  pair.world.Run(kSecond);
  EXPECT(pair.BothUp());
  EXPECT(pair.a.table().HasTied());
  pair.a.table().Hold(true, pair.world.now);
  pair.world.Run(10 * kSecond);
  EXPECT_EQ(pair.a.state(), BfdState::kDown);
  EXPECT_EQ(pair.b.Get(BfdField::kRemoteDiagnostic), static_cast<uint64_t>(BfdDiagnostic::kForwardingPlaneReset));
  pair.a.Apply({});
  pair.a.Apply({tied});
  pair.world.Run(10 * kSecond);
  EXPECT_EQ(pair.a.state(), BfdState::kDown);
  pair.a.table().Hold(false, pair.world.now);
  pair.world.Run(3 * kSecond);
  EXPECT(pair.BothUp());
}

TEST("packets are told apart by discriminator, address, port, interface and TTL") {
  World world(1);
  Node& node = world.Add("192.0.2.1");
  BfdSettings settings;
  settings.id = "peer";
  settings.peer = {Ip("192.0.2.9"), "eth0", 7950};
  settings.local = Ip("192.0.2.1");
  settings.port = 7950;
  settings.minimum_ttl = 254;
  node.Apply({settings});
  const auto discriminator = static_cast<uint32_t>(node.Get(BfdField::kDiscriminator));
  const struct {
    const char* label;
    uint32_t your_discriminator;
    const char* from;
    const char* to;
    int interface_index;
    uint16_t port;
    uint8_t ttl;
    BfdDrop drop;
  } rows[] = {
      {"the peer", 0, "192.0.2.9", "192.0.2.1", 2, 7950, 254, BfdDrop::kNone},
      {"by discriminator", discriminator, "192.0.2.9", "192.0.2.1", 2, 7950, 255, BfdDrop::kNone},
      {"from afar", 0, "192.0.2.9", "192.0.2.1", 2, 7950, 253, BfdDrop::kTtlTooLow},
      {"unknown discriminator", discriminator + 1, "192.0.2.9", "192.0.2.1", 2, 7950, 255,
       BfdDrop::kUnknownDiscriminator},
      {"another address", 0, "192.0.2.8", "192.0.2.1", 2, 7950, 255, BfdDrop::kUnknownPeer},
      {"to another address", 0, "192.0.2.9", "192.0.2.2", 2, 7950, 255, BfdDrop::kUnknownPeer},
      {"another interface", 0, "192.0.2.9", "192.0.2.1", 3, 7950, 255, BfdDrop::kUnknownPeer},
      {"another port", 0, "192.0.2.9", "192.0.2.1", 2, 3784, 255, BfdDrop::kUnknownPeer},
      {"a stranger with the discriminator", discriminator, "192.0.2.8", "192.0.2.1", 2, 7950, 255, BfdDrop::kWrongPeer},
      {"the same on another interface", discriminator, "192.0.2.9", "192.0.2.1", 3, 7950, 255, BfdDrop::kWrongPeer},
  };
  for (const auto& row : rows) {
    std::array<uint8_t, kBfdMandatorySize> bytes;
    BfdPacket packet;
    packet.detect_multiplier = 3;
    packet.my_discriminator = 5;
    packet.your_discriminator = row.your_discriminator;
    MarshalBfd(packet, 0, bytes);
    const BfdDatagram datagram{Ip(row.from), Ip(row.to), row.interface_index, row.port, 0, row.ttl, bytes};
    EXPECT_EQ(node.table().Receive(datagram, world.now), row.drop, row.label);
  }
  EXPECT_EQ(node.reports["peer"]->Get(BfdDrop::kTtlTooLow), 1u);
  EXPECT_EQ(node.reports["peer"]->Get(BfdDrop::kWrongPeer), 2u);
  EXPECT_EQ(node.unclaimed->Get(BfdDrop::kUnknownPeer), 4u);
}

namespace {

BfdSettings EchoTowards(const Node& peer, uint32_t echo = 20'000, uint32_t interval = 100'000) {
  BfdSettings settings = Towards(peer, interval);
  settings.parameters.echo_interval = echo;
  return settings;
}

struct EchoPair : Pair {
  explicit EchoPair(uint64_t seed) : Pair(seed) {
    a.Apply({EchoTowards(b)});
    b.Apply({EchoTowards(a)});
  }
  BfdEchoState echo() { return static_cast<BfdEchoState>(a.Get(BfdField::kEchoState)); }
};

}  // namespace

TEST("echo packets come back at their own rate, and control packets become few") {
  ForSeeds(20, [](uint64_t seed) {
    EchoPair pair(seed);
    pair.world.Run(5 * kSecond);
    EXPECT(pair.BothUp());
    EXPECT_EQ(pair.echo(), BfdEchoState::kWorking);
    const uint64_t echoes = pair.a.Get(BfdField::kEchoSent);
    const uint64_t packets = pair.a.Get(BfdField::kSent);
    pair.world.Run(60 * kSecond);
    EXPECT_EQ(pair.Flaps(), 0u);
    // 60 s of 15 to 20 ms, and of 0.75 to 1 s.
    EXPECT(pair.a.Get(BfdField::kEchoSent) - echoes >= 3'000 && pair.a.Get(BfdField::kEchoSent) - echoes <= 4'010);
    EXPECT(pair.a.Get(BfdField::kSent) - packets >= 60 && pair.a.Get(BfdField::kSent) - packets <= 81);
    EXPECT(pair.a.Get(BfdField::kEchoReceived) + 1 >= pair.a.Get(BfdField::kEchoSent));
    EXPECT_EQ(pair.a.Get(BfdField::kReceiveInterval), kSecond);
    EXPECT_EQ(pair.a.Get(BfdField::kEchoInterval), 20 * kMillisecond);
  });
}

TEST("a path that is gone is missed by echo, long before control packets are") {
  ForSeeds(40, [](uint64_t seed) {
    EchoPair pair(seed);
    pair.world.Run(5 * kSecond + pair.world.Random() % kSecond);
    pair.a.events.clear();
    pair.world.cut = true;
    const Nanoseconds cut = pair.world.now;
    pair.world.Run(kSecond);
    EXPECT_EQ(pair.a.state(), BfdState::kDown);
    EXPECT(!pair.a.events.empty());
    EXPECT_EQ(pair.a.events.front().diagnostic, BfdDiagnostic::kEchoFailed);
    EXPECT(pair.a.events.front().at - cut <= 81 * kMillisecond);
    pair.world.cut = false;
    pair.world.Run(10 * kSecond);
    EXPECT(pair.BothUp());
    EXPECT_EQ(pair.echo(), BfdEchoState::kWorking);
  });
}

TEST("a process that is gone is missed by control packets, though its forwarding returns what comes") {
  EchoPair pair(1);
  pair.world.Run(5 * kSecond);
  pair.b.frozen_until = kNever;
  pair.world.Run(4 * kSecond);
  EXPECT_EQ(pair.a.state(), BfdState::kDown);
  EXPECT_EQ(static_cast<BfdDiagnostic>(pair.a.Get(BfdField::kDiagnostic)), BfdDiagnostic::kDetectionTimeExpired);
}

TEST("with a peer that has no echo, or says that it does not forward, a session is as it is without") {
  for (const bool configured : {false, true}) {
    Pair pair(1);
    pair.b.forwards = false;
    pair.a.Apply({EchoTowards(pair.b)});
    pair.b.Apply({configured ? EchoTowards(pair.a) : Towards(pair.a)});
    pair.world.Run(30 * kSecond);
    EXPECT(pair.BothUp());
    EXPECT_EQ(pair.a.Get(BfdField::kEchoSent), 0u);
    EXPECT_EQ(pair.a.Get(BfdField::kDetectionTime), 300 * kMillisecond);
    EXPECT_EQ(pair.Flaps(), 0u);
  }
}

TEST("a peer that says that it returns echo packets and does not loses nothing, until it has done so once") {
  EchoPair pair(1);
  pair.b.returns_echoes = false;
  pair.world.Run(30 * kSecond);
  EXPECT(pair.BothUp());
  EXPECT_EQ(pair.Flaps(), 0u);
  EXPECT_EQ(pair.echo(), BfdEchoState::kTrial);
  EXPECT_EQ(pair.a.Get(BfdField::kDetectionTime), 300 * kMillisecond);
  EXPECT(pair.a.Get(BfdField::kEchoSent) >= 28 && pair.a.Get(BfdField::kEchoSent) <= 40);
  pair.b.returns_echoes = true;
  pair.world.Run(3 * kSecond);
  EXPECT_EQ(pair.echo(), BfdEchoState::kWorking);
  pair.b.returns_echoes = false;
  pair.world.Run(30 * kSecond);
  // It was down once, and is up by control packets.
  EXPECT(pair.BothUp());
  EXPECT_EQ(pair.a.Get(BfdField::kFlaps), 1u);
  EXPECT_EQ(pair.echo(), BfdEchoState::kTrial);
}

TEST("echo is switched on and off, and its interval changed, without a flap") {
  ForSeeds(20, [](uint64_t seed) {
    EchoPair pair(seed);
    for (int i = 0; i < 30; i++) {
      constexpr uint32_t kIntervals[] = {0, 10'000, 50'000, 300'000};
      Node& node = i % 2 == 0 ? pair.a : pair.b;
      node.Apply({EchoTowards(i % 2 == 0 ? pair.b : pair.a, kIntervals[pair.world.Random() % 4])});
      node.forwards = pair.world.Random() % 3 != 0;
      pair.world.Run(pair.world.Random() % (3 * kSecond));
    }
    EXPECT_EQ(pair.Flaps(), 0u);
    pair.a.forwards = pair.b.forwards = true;
    pair.a.Apply({EchoTowards(pair.b)});
    pair.b.Apply({EchoTowards(pair.a)});
    pair.world.Run(10 * kSecond);
    EXPECT_EQ(pair.echo(), BfdEchoState::kWorking);
    EXPECT_EQ(pair.a.Get(BfdField::kReceiveInterval), kSecond);
  });
}

TEST("a stall of our own raises no alarm by echo, whether what came back was kept or lost") {
  ForSeeds(40, [](uint64_t seed) {
    for (const bool kept : {true, false}) {
      EchoPair pair(seed);
      pair.world.Run(5 * kSecond);
      for (int i = 0; i < 10; i++) {
        const Nanoseconds stall = 60 * kMillisecond + pair.world.Random() % kSecond;
        pair.a.frozen_until = pair.world.now + stall;
        pair.world.Run(stall - 1);
        if (!kept) pair.a.LoseBuffer();
        pair.world.Run(kSecond);
      }
      EXPECT_EQ(pair.Flaps(), 0u);
      EXPECT_EQ(pair.echo(), BfdEchoState::kWorking);
    }
  });
}

TEST("what comes back counts once, by its path, and only when nobody has touched it") {
  EchoPair pair(1);
  pair.world.Run(5 * kSecond);
  const std::vector<uint8_t> genuine = pair.a.last_echo;
  const struct {
    const char* label;
    size_t at;
    const char* bytes;
    int interface_index;
    BfdEchoDrop drop;
  } rows[] = {
      {"a second time", 0, "", 2, BfdEchoDrop::kStale},
      {"another sequence", 39, "ff", 2, BfdEchoDrop::kWrongTag},
      {"another tag", 40, "00000000", 2, BfdEchoDrop::kWrongTag},
      {"another discriminator", 28, "00000001", 2, BfdEchoDrop::kUnknownDiscriminator},
      {"from afar", 8, "fd", 2, BfdEchoDrop::kTtlTooLow},
      {"on another interface", 0, "", 3, BfdEchoDrop::kWrongPath},
      {"of another address", 12, "c0000209c0000209", 2, BfdEchoDrop::kWrongPath},
      {"the peer's own", 12, "c0000202c0000202", 2, BfdEchoDrop::kNotOurs},
      {"cut off", 0, nullptr, 2, BfdEchoDrop::kTruncated},
  };
  for (const auto& row : rows) {
    std::vector<uint8_t> bytes = genuine;
    if (row.bytes == nullptr) {
      bytes.pop_back();
    } else {
      std::ranges::copy(Hex(row.bytes), bytes.begin() + static_cast<std::ptrdiff_t>(row.at));
    }
    EXPECT_EQ(pair.a.table().ReceiveEcho(bytes, row.interface_index, pair.world.now), row.drop, row.label);
  }
  EXPECT_EQ(pair.a.reports["peer"]->Get(BfdEchoDrop::kWrongTag), 2u);
  EXPECT_EQ(pair.a.unclaimed->Get(BfdEchoDrop::kTruncated), 1u);
}

TEST("what a peer addresses to us is returned to it alone, whole, and about as often as it was told") {
  EchoPair pair(1);
  pair.world.Run(5 * kSecond);
  const std::vector<uint8_t> payload(24);
  const std::vector<uint8_t> longer(129);
  const struct {
    const char* label;
    const char* from;
    const char* to;
    int interface_index;
    uint8_t ttl;
    std::span<const uint8_t> payload;
    BfdEchoDrop drop;
  } rows[] = {
      {"the peer's", "192.0.2.2", "192.0.2.1", 2, 255, payload, BfdEchoDrop::kNone},
      {"a stranger's", "192.0.2.3", "192.0.2.1", 2, 255, payload, BfdEchoDrop::kUnknownPeer},
      {"to another address", "192.0.2.2", "192.0.2.9", 2, 255, payload, BfdEchoDrop::kUnknownPeer},
      {"on another interface", "192.0.2.2", "192.0.2.1", 3, 255, payload, BfdEchoDrop::kUnknownPeer},
      {"returned before", "192.0.2.2", "192.0.2.1", 2, 254, payload, BfdEchoDrop::kTtlTooLow},
      {"too long", "192.0.2.2", "192.0.2.1", 2, 255, longer, BfdEchoDrop::kTooLong},
  };
  for (const auto& row : rows) {
    const BfdDatagram datagram{Ip(row.from), Ip(row.to), row.interface_index, 3785, 3785, row.ttl, row.payload};
    EXPECT_EQ(pair.a.table().ReturnEcho(datagram, pair.world.now), row.drop, row.label);
  }
  const BfdDatagram datagram{Ip("192.0.2.2"), Ip("192.0.2.1"), 2, 3785, 3785, 255, payload};
  int taken = 0;
  for (int i = 0; i < 1'000; i++) {
    if (pair.a.table().ReturnEcho(datagram, pair.world.now) == BfdEchoDrop::kNone) taken++;
  }
  EXPECT(taken >= 10 && taken <= 16);
  pair.world.Run(kSecond);
  EXPECT_EQ(pair.a.table().ReturnEcho(datagram, pair.world.now), BfdEchoDrop::kNone);
  pair.b.Apply({});
  pair.world.Run(kSecond);
  EXPECT_EQ(pair.a.table().ReturnEcho(datagram, pair.world.now), BfdEchoDrop::kInactive);
}

}  // namespace garpoon::test
