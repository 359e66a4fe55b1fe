#include "../announce_backlog.h"

#include "../address_table.h"
#include "check.h"
#include "frames.h"

namespace garpoon::test {
namespace {

using Kind = AnnounceOrder::Kind;

std::vector<AnnounceOrder> Orders(size_t from, size_t to) {
  std::vector<AnnounceOrder> orders;
  for (size_t i = from; i < to; i++) {
    AnnounceOrder order{Ip("10.0.0.0")};
    for (size_t byte = 0; byte < 3; byte++) order.address.bytes[3 - byte] = static_cast<uint8_t>(i >> (8 * byte));
    orders.push_back(order);
  }
  return orders;
}

std::string TakeAll(AnnounceBacklog& backlog, size_t limit) {
  std::string text;
  while (!backlog.empty()) {
    backlog.Take(limit, [&](const AnnounceOrder& order, int index) {
      text += Format(order.address) + "@" + std::to_string(index) + " ";
    });
    text += "| ";
  }
  return text;
}

}  // namespace

TEST("orders are handed on in order, a bounded number at a time") {
  AnnounceBacklog backlog;
  backlog.Add(Orders(1, 3));
  backlog.Replace(7, Orders(5, 6));
  backlog.Add(Orders(3, 4));
  EXPECT_EQ(TakeAll(backlog, 3), "10.0.0.1@0 10.0.0.2@0 10.0.0.5@7 | 10.0.0.3@0 | ");
  backlog.Add({});
  EXPECT(backlog.empty());
}

TEST("what is left for one interface is replaced, and nothing else") {
  AnnounceBacklog backlog;
  backlog.Replace(7, Orders(1, 4));
  backlog.Add(Orders(9, 10));
  backlog.Take(1, [](const AnnounceOrder&, int) {});
  backlog.Replace(7, Orders(1, 3));
  EXPECT_EQ(TakeAll(backlog, 64), "10.0.0.9@0 10.0.0.1@7 10.0.0.2@7 | ");
}

TEST("orders that keep coming do not pile up") {
  AnnounceBacklog backlog;
  size_t kept = 0;
  for (int i = 0; i < 4; i++) backlog.Add(Orders(0, kMaxAnnouncements / 2));
  backlog.Take(SIZE_MAX, [&](const AnnounceOrder&, int) { kept += 1; });
  EXPECT(kept <= kMaxAnnouncements + kMaxAnnouncements / 2);

  std::vector<AnnounceOrder> orders = Orders(0, kMaxAnnouncements - 2);
  orders.push_back({Ip("192.0.2.1"), Kind::kAnnounce, 3});
  orders.push_back({Ip("192.0.2.2"), Kind::kAnnounce, 3});
  Append(orders, {{Ip("192.0.2.1"), Kind::kAnnounce, 0}, {Ip("192.0.2.1"), Kind::kProbe}});
  EXPECT_EQ(orders.size(), kMaxAnnouncements + 1);
  const auto rounds = [&](const char* address) {
    std::string text;
    for (const AnnounceOrder& order : orders) {
      if (order.address == Ip(address))
        text += (order.kind == Kind::kProbe ? "probe " : "") + std::to_string(order.rounds) + " ";
    }
    return text;
  };
  EXPECT_EQ(rounds("192.0.2.1"), "0 probe 0 ");
  EXPECT_EQ(rounds("192.0.2.2"), "3 ");
}

}  // namespace garpoon::test
