#include "../wire.h"

#include "check.h"
#include "frames.h"

namespace garpoon::test {

TEST("the reader takes numbers in network order") {
  const auto bytes = Hex("01 0203 c0000201");
  WireReader in(bytes);
  EXPECT_EQ(in.U8(), 1);
  EXPECT_EQ(in.U16(), 0x0203);
  EXPECT_EQ(in.Ipv4() == Ip("192.0.2.1"), true);
  EXPECT(in.ok());
  EXPECT_EQ(in.remaining(), 0u);
}

TEST("a read past the end yields zero and is remembered") {
  const auto bytes = Hex("ff");
  WireReader in(bytes);
  EXPECT_EQ(in.U16(), 0);
  EXPECT(!in.ok());
  EXPECT_EQ(in.U8(), 0xff);
  EXPECT(!in.ok());
}

TEST("a write past the end does nothing and is remembered") {
  std::array<uint8_t, 3> bytes{};
  WireWriter out(bytes);
  out.U16(0x0102).U16(0x0304);
  EXPECT(!out.ok());
  EXPECT_EQ(ToHex(bytes), "010200");
}

}  // namespace garpoon::test
