// Real sockets on loopback.
#include "../tcp_dial.h"

#include <netinet/tcp.h>
#include <poll.h>

#include "../tcp_listen.h"
#include "check.h"
#include "frames.h"
#include "network.h"

namespace garpoon::test {
namespace {

constexpr uint16_t kPort = 7179;

int OptionOf(const Fd& fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(fd.get(), level, option, &value, &size), 0);
  return value;
}

std::vector<uint8_t> Key(std::string_view text) { return {text.begin(), text.end()}; }

TcpTarget Towards(const char* address) {
  TcpTarget target;
  target.address = test::Ip(address);
  target.port = kPort;
  return target;
}

Fd Listen(const char* address, std::vector<TcpPeer> peers = {}) {
  TcpListener listener;
  listener.address = test::Ip(address);
  listener.port = kPort;
  listener.peers = std::move(peers);
  Failure failure;
  const TcpPeer* about = nullptr;
  Fd fd = OpenTcpListener(listener, failure, about);
  EXPECT_EQ(failure.error, 0, failure.operation);
  return fd;
}

// The error it ends with; -1 when it has not ended within `timeout` ms.
int Outcome(const Fd& fd, int timeout = 5'000) {
  pollfd writable{fd.get(), POLLOUT, 0};
  return poll(&writable, 1, timeout) == 1 ? FinishTcpDial(fd.get()).error : -1;
}

}  // namespace

NETWORK_TEST("everything is set before the connection is made, of either family") {
  RunIp("link set lo up");
  for (const char* address : {"127.0.0.1", "::1"}) {
    TcpTarget target = Towards(address);
    const bool ipv4 = target.address.family == Family::kIpv4;
    target.source = target.address;
    target.options = {.device = "lo", .ttl = 255, .minimum_ttl = 254, .user_timeout = 90'000};
    target.key = Key("secret");
    const Fd listener = Listen(address, {{target.address, Key("secret"), 255, 254}});
    Failure failure;
    const Fd fd = StartTcpDial(target, failure);
    EXPECT_EQ(failure.error, 0, failure.operation);
    EXPECT_EQ(Outcome(fd), 0, address);
    const Fd accepted(accept(listener.get(), nullptr, nullptr));
    for (const Fd* end : {&fd, &accepted}) {
      EXPECT_EQ(OptionOf(*end, IPPROTO_TCP, TCP_NODELAY), 1, address);
      EXPECT_EQ(OptionOf(*end, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS), 0xc0, address);
      EXPECT_EQ(OptionOf(*end, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TTL : IPV6_UNICAST_HOPS), 255, address);
      EXPECT_EQ(OptionOf(*end, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MINTTL : IPV6_MINHOPCOUNT), 254, address);
    }
    EXPECT_EQ(OptionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 90'000);
    TcpInfo info;
    EXPECT_EQ(ReadTcpInfo(fd.get(), info).error, 0);
    EXPECT_EQ(static_cast<int>(info.state), 1);
    EXPECT(info.rtt > 0);
    EXPECT_EQ(SetTcpTtl(accepted.get(), 64, 0).error, 0);
    EXPECT_EQ(OptionOf(accepted, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TTL : IPV6_UNICAST_HOPS), 64, address);
    EXPECT_EQ(OptionOf(accepted, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MINTTL : IPV6_MINHOPCOUNT), 0, address);
  }
}

NETWORK_TEST("a connection is made with the same key, and otherwise nothing is heard") {
  RunIp("link set lo up");
  const Fd listener = Listen("127.0.0.1", {{test::Ip("127.0.0.1"), Key("right")}});
  const struct {
    const char* key;
    int outcome;
  } rows[] = {{"right", 0}, {"wrong", -1}, {"", -1}, {"right", 0}};
  const auto dial = [](const char* key) {
    TcpTarget target = Towards("127.0.0.1");
    target.key = Key(key);
    Failure failure;
    return StartTcpDial(target, failure);
  };
  for (const auto& row : rows) EXPECT_EQ(Outcome(dial(row.key), row.outcome == 0 ? 5'000 : 300), row.outcome, row.key);

  EXPECT_EQ(SetTcpKey(listener.get(), test::Ip("127.0.0.1"), Key("wrong")).error, 0);
  EXPECT_EQ(Outcome(dial("wrong")), 0);
  EXPECT_EQ(SetTcpKey(listener.get(), test::Ip("127.0.0.1"), {}).error, 0);
  EXPECT_EQ(SetTcpKey(listener.get(), test::Ip("127.0.0.1"), {}).error, 0);
  EXPECT_EQ(Outcome(dial("")), 0);
  EXPECT_EQ(Outcome(dial("right"), 300), -1);
}

NETWORK_TEST("what fails says on which call, and leaves no descriptor") {
  RunIp("link set lo up");
  const struct {
    const char* what;
    TcpTarget target;
    Failure failure;
  } rows[] = {
      {"no such device",
       [] {
         auto t = Towards("127.0.0.1");
         t.options.device = "absent";
         return t;
       }(),
       {"SO_BINDTODEVICE", ENODEV}},
      {"no such interface",
       [] {
         auto t = Towards("fe80::1");
         t.interface = "absent";
         return t;
       }(),
       {"if_nametoindex", ENODEV}},
      {"not our source",
       [] {
         auto t = Towards("127.0.0.1");
         t.source = Ip("192.0.2.1");
         return t;
       }(),
       {"bind", EADDRNOTAVAIL}},
      {"no route", Towards("192.0.2.1"), {"connect", ENETUNREACH}},
      {"a link-local address without its interface", Towards("fe80::1"), {"connect", EINVAL}},
      {"81 bytes of key",
       [] {
         auto t = Towards("127.0.0.1");
         t.key.resize(81);
         return t;
       }(),
       {"TCP_MD5SIG", EINVAL}},
  };
  const int next = Fd(dup(0)).get();
  for (const auto& row : rows) {
    Failure failure;
    EXPECT(!StartTcpDial(row.target, failure).valid());
    EXPECT_EQ(std::string(failure.operation), std::string(row.failure.operation), row.what);
    EXPECT_EQ(failure.error, row.failure.error, row.what);
  }
  Failure failure;
  const Fd fd = StartTcpDial(Towards("127.0.0.1"), failure);
  EXPECT_EQ(fd.get(), next);
  EXPECT_EQ(Outcome(fd), ECONNREFUSED);
}

TEST("a listener shuts out none of its peers by what the others ask for") {
  TcpListener listener;
  listener.address = Ip("0.0.0.0");
  const auto peer = [](const char* address, uint8_t ttl, uint8_t minimum) {
    return TcpPeer{test::Ip(address), {}, ttl, minimum};
  };
  const struct {
    const char* what;
    std::vector<TcpPeer> peers;
    int ttl;
    int minimum;
  } rows[] = {
      {"nobody", {}, 0, 0},
      {"one", {peer("198.18.0.1", 255, 255)}, 255, 255},
      {"two", {peer("198.18.0.1", 255, 255), peer("198.18.0.2", 64, 250)}, 255, 250},
      {"one that asks for nothing", {peer("198.18.0.1", 255, 255), peer("198.18.0.2", 1, 0)}, 255, 0},
      {"one of the other family", {peer("198.18.0.1", 255, 255), peer("2001:db8::1", 1, 0)}, 255, 255},
  };
  for (const auto& row : rows) {
    listener.peers = row.peers;
    EXPECT_EQ(static_cast<int>(ListenerTtls(listener).ttl), row.ttl, row.what);
    EXPECT_EQ(static_cast<int>(ListenerTtls(listener).minimum_ttl), row.minimum, row.what);
  }
}

}  // namespace garpoon::test
