// Big-endian cursors over a frame. They cannot leave it: a read or write that does not fit does nothing and clears
// ok(), so that a codec is straight-line code with one check at its end.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "address.h"

namespace garpoon {

class WireReader {
 public:
  explicit WireReader(std::span<const uint8_t> in) : rest_(in) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t remaining() const { return rest_.size(); }

  uint8_t U8() { return Fixed<1>()[0]; }

  uint16_t U16() {
    const auto bytes = Fixed<2>();
    return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]);
  }

  uint32_t U32() {
    const uint32_t high = U16();
    return high << 16 | U16();
  }

  MacAddress Mac() { return {Fixed<6>()}; }

  IpAddress Ipv4() {
    IpAddress address{Family::kIpv4, {}};
    std::ranges::copy(Fixed<4>(), address.bytes.begin());
    return address;
  }

  IpAddress Ipv6() { return {Family::kIpv6, Fixed<16>()}; }

  std::span<const uint8_t> Take(size_t length) {
    if (length > rest_.size()) {
      ok_ = false;
      return {};
    }
    const auto taken = rest_.first(length);
    rest_ = rest_.subspan(length);
    return taken;
  }

 private:
  template <size_t kLength>
  std::array<uint8_t, kLength> Fixed() {
    std::array<uint8_t, kLength> bytes{};
    std::ranges::copy(Take(kLength), bytes.begin());
    return bytes;
  }

  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

class WireWriter {
 public:
  explicit WireWriter(std::span<uint8_t> out) : rest_(out) {}

  [[nodiscard]] bool ok() const { return ok_; }

  WireWriter& U8(uint8_t value) { return Bytes(std::array{value}); }

  WireWriter& U16(uint16_t value) {
    return Bytes(std::array{static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)});
  }

  WireWriter& U32(uint32_t value) { return U16(static_cast<uint16_t>(value >> 16)).U16(static_cast<uint16_t>(value)); }

  WireWriter& Mac(const MacAddress& mac) { return Bytes(mac.bytes); }

  WireWriter& Ip(const IpAddress& address) { return Bytes(std::span(address.bytes).first(address.size())); }

  WireWriter& Bytes(std::span<const uint8_t> bytes) {
    if (bytes.size() > rest_.size()) {
      ok_ = false;
      return *this;
    }
    std::ranges::copy(bytes, rest_.begin());
    rest_ = rest_.subspan(bytes.size());
    return *this;
  }

 private:
  std::span<uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace garpoon
