// All BFD sessions of this system: which packet is whose, and whose turn it is. Pure but for its environment: time is a
// parameter. Packet thread only.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bfd_echo_packet.h"
#include "bfd_report.h"
#include "bfd_session.h"
#include "bfd_settings.h"
#include "nanoseconds.h"

namespace garpoon {

struct BfdEvent {
  std::string id;
  BfdState state{};
  BfdDiagnostic diagnostic{};
  BfdState remote_state{};
  BfdDiagnostic remote_diagnostic{};
  uint64_t at = 0;  // nanoseconds since 1970
};

struct BfdDatagram {
  IpAddress source;
  IpAddress destination;
  int interface_index = 0;
  uint16_t port = 0;  // that it came to
  uint16_t source_port = 0;
  uint8_t ttl = 0;
  std::span<const uint8_t> payload;
};

// How a peer's forwarding is reached, to send something back.
struct BfdEchoPath {
  IpAddress local;
  IpAddress peer;
  int interface_index = 0;

  bool operator==(const BfdEchoPath&) const = default;
};

// What a table needs of the world.
class BfdEnvironment {
 public:
  virtual ~BfdEnvironment() = default;
  // False when it was not sent. `discriminator` tells sessions apart, also such as have the same id.
  virtual bool Send(uint32_t discriminator, const BfdSettings& settings, std::span<const uint8_t> packet) = 0;
  // Hands a datagram that is addressed to ourselves to the peer. False when it was not sent.
  virtual bool SendEcho(uint32_t discriminator, const BfdEchoPath& path, std::span<const uint8_t> datagram) = 0;
  // Whether this system returns what the peer sends, both to itself and to us.
  virtual bool ReturnsEchoes(const BfdEchoPath& path) = 0;
  // Sends a datagram back to where it came from, with one less of its TTL. False when it was not sent.
  virtual bool ReturnEcho(const BfdDatagram& datagram) = 0;
  // The session is gone.
  virtual void Forget(uint32_t discriminator) = 0;
  // Hands every datagram that has arrived by now to BfdTable::Receive, and every echo packet to ReceiveEcho.
  virtual void TakeArrived() = 0;
  // 0 when there is none of the name.
  virtual int InterfaceIndex(const std::string& name) = 0;
  virtual uint64_t Random() = 0;
  virtual uint64_t WallTime() = 0;  // nanoseconds since 1970
  virtual void Tell(const BfdEvent& event) = 0;
};

// A session that is wanted, and where to report about it.
struct BfdWish {
  BfdSettings settings;
  std::shared_ptr<BfdReport> report;
};

class BfdTable {
 public:
  // `unclaimed` gets the drops of packets that belong to no session.
  BfdTable(BfdEnvironment& environment, std::shared_ptr<BfdReport> unclaimed);
  ~BfdTable();
  BfdTable(const BfdTable&) = delete;
  BfdTable& operator=(const BfdTable&) = delete;

  // Makes the sessions these. What is wanted as before is not disturbed; what is wanted otherwise is told so in a poll
  // sequence; what is not wanted any more tells its peer so for a while. Ids and peers are unique among the wishes.
  void Apply(std::vector<BfdWish> wishes, Nanoseconds now);

  // Whether what is tied to the lease is held Down.
  void Hold(bool held, Nanoseconds now);

  // Interfaces have come, gone or changed their names.
  void FollowInterfaces();

  BfdDrop Receive(const BfdDatagram& datagram, Nanoseconds now);

  // An IPv4 datagram to the port of echo packets that was seen on an interface.
  BfdEchoDrop ReceiveEcho(std::span<const uint8_t> datagram, int interface_index, Nanoseconds now);

  // An echo packet of a peer that is addressed to us.
  BfdEchoDrop ReturnEcho(const BfdDatagram& datagram, Nanoseconds now);

  // Judges and sends what is due.
  void RunDue(Nanoseconds now);

  // When to run again; kNever when there is nothing to do.
  [[nodiscard]] Nanoseconds Deadline() const { return due_.empty() ? kNever : due_.begin()->first; }

  // Tells every peer that this is no failure, once.
  void Close(Nanoseconds now);

  [[nodiscard]] bool HasTied() const { return tied_ > 0; }
  [[nodiscard]] size_t size() const { return by_discriminator_.size(); }  // those that take their leave among them

 private:
  struct Entry;
  using Due = std::set<std::pair<Nanoseconds, Entry*>>;

  void Create(BfdWish wish, Nanoseconds now);
  void Change(Entry& entry, BfdWish wish, Nanoseconds now);
  void Retire(Entry& entry, Nanoseconds now);
  void Destroy(Entry& entry);
  void DestroyLeaving(const BfdPeer& peer);
  [[nodiscard]] Entry* Select(const BfdDatagram& datagram, const BfdPacket& packet, BfdDrop& drop);
  [[nodiscard]] static bool IsFrom(const Entry& entry, const BfdDatagram& datagram);
  void NoteDelay(Nanoseconds now);
  void Judge(Entry& entry, Nanoseconds now);
  void Transmit(Entry& entry, Nanoseconds now);
  void SendEarly(Nanoseconds now);
  void Observe(Entry& entry);
  [[nodiscard]] bool WasLate(Nanoseconds by, Nanoseconds now) const;
  void LearnEchoPath(Entry& entry, const BfdDatagram& datagram, Nanoseconds now);
  void TransmitEcho(Entry& entry, Nanoseconds now);
  void JudgeEcho(Entry& entry, Nanoseconds now);
  static void ObserveEcho(const Entry& entry);
  // Hastens the entry's turn, or sets it.
  void Advance(Entry& entry, Nanoseconds now);
  void Rearm(Entry& entry, Nanoseconds at);
  [[nodiscard]] static Nanoseconds DeadlineOf(const Entry& entry);
  [[nodiscard]] uint32_t NewDiscriminator();

  BfdEnvironment& environment_;
  const std::shared_ptr<BfdReport> unclaimed_;
  const SipHashKey echo_key_;  // that nobody else knows
  bool held_ = false;
  size_t tied_ = 0;
  std::unordered_map<uint32_t, std::unique_ptr<Entry>> by_discriminator_;
  // Those that are wanted. The others have only their discriminators left.
  std::unordered_map<std::string, Entry*> by_id_;
  std::unordered_multimap<IpAddress, Entry*> by_peer_;
  // Each entry once, not later than its session's deadline: a deadline that moves on, as with every packet that is
  // heard, is looked at when the old one comes.
  Due due_;
  // Our own last delay that matters, and when it ended. Remembered for as long as it was.
  Nanoseconds late_by_ = 0;
  Nanoseconds late_until_ = 0;
};

}  // namespace garpoon
