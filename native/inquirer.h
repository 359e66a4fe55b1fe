// Asks the LAN who has addresses that need not be ours, and listens for a second to who says so.
//
// With a thread and sockets of its own: the packet thread's filters let in what concerns its table alone, to change
// them for a second would open them twice, and whoever floods a question with answers must not keep our own addresses
// from being answered for. The thread is there from the first question on,
// the sockets while one is open.
//
//   JavaScript thread --> Ask --> | inquirer thread | --> sink(answers)
#pragma once

#include <pthread.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "answer.h"
#include "failure.h"
#include "fd.h"
#include "inquiry.h"
#include "link.h"
#include "packet_socket.h"

namespace garpoon {

struct HeardAnswer {
  IpAddress address;
  MacAddress mac;
  int interface_index;
};

class Inquirer {
 public:
  struct Options {
    uint32_t questions_per_second = 400;  // at least 1, as is `burst`
    uint32_t burst = 64;
    std::function<std::shared_ptr<const std::vector<LinkState>>()> links;
    // Called on the inquirer's thread and by Ask(), and not after Stop(). The failure is 0 when there is none to tell.
    std::function<void(std::vector<HeardAnswer>, const Failure&)> sink;
  };

  explicit Inquirer(Options options)
      : options_(std::move(options)), inquiry_(options_.questions_per_second, options_.burst) {}
  ~Inquirer() { Stop(); }
  Inquirer(const Inquirer&) = delete;
  Inquirer& operator=(const Inquirer&) = delete;

  // Idempotent. By the thread that calls Ask().
  void Stop();

  // In the network namespace of the calling thread, which is always the same. Asks once for each address, on every
  // interface that matches and is eligible; an empty set means all. Returns how many of the addresses are asked for,
  // from the first on: the others were too many at a time.
  size_t Ask(std::span<const IpAddress> addresses, InterfaceSet interfaces);

 private:
  struct Order {
    std::vector<IpAddress> addresses;
    InterfaceSet interfaces;
  };
  struct Listener {
    Fd socket;
    MacAddress mac;  // of the interface
  };
  using Place = std::pair<int, Protocol>;  // an interface's index, and what is heard there

  [[nodiscard]] Failure Start();
  void Wake();

  // All below: inquirer's thread only.
  void Run();
  void Await();
  void Send(const Order& order);
  // 0 or an errno, as of the next two.
  [[nodiscard]] int AskOn(const Link& link, Protocol protocol, std::span<const IpAddress> addresses,
                          const IpAddress& source);
  [[nodiscard]] int Listen(const Place& place, const MacAddress& mac, std::span<const IpAddress> addresses);
  [[nodiscard]] int Receive(const Place& place, const Listener& listener);
  void CloseUnused();

  const Options options_;
  Fd wake_;
  pthread_t thread_{};
  bool running_ = false;

  std::mutex mutex_;  // over the three that follow
  Inquiry inquiry_;
  std::vector<Order> orders_;
  bool stop_ = false;

  std::map<Place, Listener> listeners_;
  SendBatch batch_;
  std::vector<HeardAnswer> heard_;
  int told_ = 0;  // the errno that was told last, 0 since all went well
};

}  // namespace garpoon
