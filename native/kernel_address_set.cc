#include "kernel_address_set.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace garpoon {
namespace {

constexpr uint32_t kMaxAddresses = 1 << 20;
constexpr size_t kAddressesPerCall = 4096;  // more in one system call gain nothing
constexpr char kLicense[] = "Apache-2.0";   // none of the helpers that are called is for GPL programs only
constexpr size_t kLongestKey = 16;

int Bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

uint64_t Pointer(const void* data) { return reinterpret_cast<uintptr_t>(data); }

uint32_t KeySize(Protocol protocol) { return protocol == Protocol::kArp ? 4 : 16; }

// A program is written from its beginning; every jump in it is to one of its two ends.
class Assembler {
 public:
  Assembler() { Write(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0); }  // where packet loads expect it

  void RequirePacketTypeBelow(int32_t limit) {
    Write(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_6, offsetof(__sk_buff, pkt_type), 0);
    DropIf(BPF_JGE, limit);
  }

  // A field of the frame; a frame that ends before it is dropped.
  void RequireField(uint8_t width, int32_t offset, int32_t low, int32_t high) {
    Write(BPF_LD | BPF_ABS | width, BPF_REG_0, 0, 0, offset);
    DropIf(BPF_JLT, low);
    DropIf(BPF_JGT, high);
  }

  // Drops a frame that ends before the address does.
  void PassIfInMap(int map, int32_t offset, uint32_t key_size) {
    Write(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0);
    Write(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, offset);
    PointAtKey(BPF_REG_3);
    Write(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, static_cast<int32_t>(key_size));
    Write(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
    DropIf(BPF_JNE, 0);
    Write(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map);
    Write(0, 0, 0, 0, 0);  // the upper half of the 64 bits
    PointAtKey(BPF_REG_2);
    Write(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
    passes_.push_back(program_.size());
    Write(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 0, 0);
  }

  std::vector<bpf_insn> Finish(uint32_t snap_length) {
    Land(drops_);
    Exit(0);
    Land(passes_);
    Exit(static_cast<int32_t>(snap_length));
    return std::move(program_);
  }

 private:
  void Write(uint8_t code, uint8_t destination, uint8_t source, int16_t offset, int32_t immediate) {
    bpf_insn instruction{};
    instruction.code = code;
    instruction.dst_reg = destination & 0xf;
    instruction.src_reg = source & 0xf;
    instruction.off = offset;
    instruction.imm = immediate;
    program_.push_back(instruction);
  }

  void DropIf(uint8_t comparison, int32_t value) {
    drops_.push_back(program_.size());
    Write(static_cast<uint8_t>(BPF_JMP | BPF_K | comparison), BPF_REG_0, 0, 0, value);
  }

  void PointAtKey(uint8_t destination) {
    Write(BPF_ALU64 | BPF_MOV | BPF_X, destination, BPF_REG_10, 0, 0);
    Write(BPF_ALU64 | BPF_ADD | BPF_K, destination, 0, 0, -static_cast<int32_t>(kLongestKey));
  }

  void Exit(int32_t length) {
    Write(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, length);
    Write(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }

  void Land(const std::vector<size_t>& jumps) {
    for (const size_t jump : jumps) program_[jump].off = static_cast<int16_t>(program_.size() - jump - 1);
  }

  std::vector<bpf_insn> program_;
  std::vector<size_t> drops_;  // indices of the jumps to each end
  std::vector<size_t> passes_;
};

std::vector<bpf_insn> Program(Protocol protocol, int map) {
  Assembler out;
  out.RequirePacketTypeBelow(PACKET_OTHERHOST);
  if (protocol == Protocol::kArp) {
    out.RequireField(BPF_H, 12, ETH_P_ARP, ETH_P_ARP);
    out.RequireField(BPF_H, 20, 1, 2);  // operation
    out.PassIfInMap(map, 38, 4);        // target
    out.PassIfInMap(map, 28, 4);        // sender
    return out.Finish(kArpSnapLength);
  }
  out.RequireField(BPF_H, 12, ETH_P_IPV6, ETH_P_IPV6);
  out.RequireField(BPF_B, 20, 58, 58);    // next header
  out.RequireField(BPF_B, 21, 255, 255);  // hop limit
  out.RequireField(BPF_B, 54, 135, 136);  // type
  out.PassIfInMap(map, 62, 16);
  return out.Finish(kNdpSnapLength);
}

Fd CreateMap(Protocol protocol) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_HASH;
  attributes.key_size = KeySize(protocol);
  attributes.value_size = 1;
  attributes.max_entries = kMaxAddresses;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  return Fd(Bpf(BPF_MAP_CREATE, attributes));
}

Fd LoadProgram(const std::vector<bpf_insn>& program) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = Pointer(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = Pointer(kLicense);
  return Fd(Bpf(BPF_PROG_LOAD, attributes));
}

int ChangeMany(int map, bool add, std::span<const uint8_t> keys, uint32_t count) {
  const std::vector<uint8_t> values(count);
  bpf_attr attributes{};
  attributes.batch.keys = Pointer(keys.data());
  attributes.batch.values = add ? Pointer(values.data()) : 0;
  attributes.batch.count = count;
  attributes.batch.map_fd = static_cast<uint32_t>(map);
  return Bpf(add ? BPF_MAP_UPDATE_BATCH : BPF_MAP_DELETE_BATCH, attributes) == 0 ? 0 : errno;
}

int ChangeOne(int map, bool add, const uint8_t* key) {
  const uint8_t value = 0;
  bpf_attr attributes{};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = Pointer(key);
  if (add) attributes.value = Pointer(&value);
  return Bpf(add ? BPF_MAP_UPDATE_ELEM : BPF_MAP_DELETE_ELEM, attributes) == 0 ? 0 : errno;
}

// Adds or removes.
int Change(int map, bool add, std::span<const IpAddress> addresses) {
  while (!addresses.empty()) {
    const auto part = addresses.first(std::min(addresses.size(), kAddressesPerCall));
    addresses = addresses.subspan(part.size());
    const size_t key_size = part.front().size();
    std::vector<uint8_t> keys;
    keys.reserve(part.size() * key_size);
    for (const IpAddress& address : part) {
      keys.insert(keys.end(), address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(key_size));
    }
    int error = ChangeMany(map, add, keys, static_cast<uint32_t>(part.size()));
    // A sandbox may know only the older commands.
    if (error == EINVAL) {
      error = 0;
      for (size_t at = 0; at < keys.size() && error == 0; at += key_size) error = ChangeOne(map, add, &keys[at]);
    }
    if (error != 0) return error;
  }
  return 0;
}

std::vector<IpAddress> Without(std::span<const IpAddress> from, std::span<const IpAddress> other) {
  std::vector<IpAddress> rest;
  std::ranges::set_difference(from, other, std::back_inserter(rest), {}, &IpAddress::bytes, &IpAddress::bytes);
  return rest;
}

}  // namespace

std::unique_ptr<KernelAddressSet> KernelAddressSet::Create(Protocol protocol, int& error) {
  Fd map = CreateMap(protocol);
  Fd program = map.valid() ? LoadProgram(Program(protocol, map.get())) : Fd();
  if (!program.valid()) {
    error = errno;
    return nullptr;
  }
  return std::unique_ptr<KernelAddressSet>(new KernelAddressSet(std::move(map), std::move(program)));
}

int KernelAddressSet::Assign(std::span<const IpAddress> addresses) {
  if (const int error = Change(map_.get(), true, Without(addresses, contents_))) return error;
  if (const int error = Change(map_.get(), false, Without(contents_, addresses))) return error;
  contents_.assign(addresses.begin(), addresses.end());
  return 0;
}

}  // namespace garpoon
