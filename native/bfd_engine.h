// BFD on the packet thread: the table of sessions and its sockets, which the thread's epoll watches.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bfd_echo_socket.h"
#include "bfd_socket.h"
#include "bfd_table.h"
#include "clock.h"
#include "failure.h"

namespace garpoon {

// Packet thread only.
class BfdEngine final : private BfdEnvironment {
 public:
  struct Outside {
    int epoll = -1;                            // its owner's
    std::function<uint64_t(int fd)> token_of;  // that a receiving socket is registered with there
    std::function<void(const BfdEvent&)> tell;
    std::function<void(const Failure&)> fail;  // of a socket
  };
  BfdEngine(Outside outside, std::shared_ptr<BfdReport> unclaimed);

  void Apply(std::vector<BfdWish> wishes);
  void Hold(bool held) { table_.Hold(held, Now()); }
  void FollowInterfaces();
  // The socket of this descriptor has something.
  void Receive(int fd);
  void RunDue();
  [[nodiscard]] Nanoseconds Deadline() const { return std::min(table_.Deadline(), retry_at_); }
  [[nodiscard]] bool HasTied() const { return table_.HasTied(); }
  void Close();

 private:
  using Place = std::pair<Family, uint16_t>;  // that is listened to

  bool Send(uint32_t discriminator, const BfdSettings& settings, std::span<const uint8_t> packet) override;
  bool SendEcho(uint32_t discriminator, const BfdEchoPath& path, std::span<const uint8_t> datagram) override;
  bool ReturnsEchoes(const BfdEchoPath& path) override;
  bool ReturnEcho(const BfdDatagram& datagram) override;
  void Forget(uint32_t discriminator) override;
  void TakeArrived() override;
  int InterfaceIndex(const std::string& name) override;
  uint64_t Random() override;
  uint64_t WallTime() override;
  void Tell(const BfdEvent& event) override { outside_.tell(event); }

  void Listen();
  [[nodiscard]] BfdReceiver* EchoReceiver() const;
  [[nodiscard]] BfdEchoTap* TapOf(int interface_index);

  const Outside outside_;
  BfdTable table_;
  struct Listener {
    std::unique_ptr<BfdReceiver> receiver;  // null when it could not be opened: that is tried again
    int error = 0;                          // that was told of
  };
  std::map<Place, Listener> listeners_;
  std::unordered_map<uint32_t, Fd> senders_;  // by discriminator; opened when there is something to be sent
  struct Tap {
    std::unique_ptr<BfdEchoTap> tap;  // null when it could not be opened: that is tried again, when it is needed
    int error = 0;                    // that was told of
    Nanoseconds retry_at = 0;
  };
  std::map<int, Tap> taps_;  // by interface
  struct Neighbor {
    std::optional<MacAddress> mac;  // the last that was known
    Nanoseconds look_at = 0;        // when to ask again
  };
  std::unordered_map<uint32_t, Neighbor> neighbors_;  // by discriminator
  Nanoseconds retry_at_ = kNever;
};

}  // namespace garpoon
