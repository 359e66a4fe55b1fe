#include "socket_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "bpf_assembler.h"

namespace garpoon {
namespace {

using Label = BpfAssembler::Label;

struct Field {
  uint16_t width;
  uint32_t offset;
};

constexpr Field kPacketType = {BPF_B, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)};
constexpr Field kEtherType = {BPF_H, 12};
constexpr Field kOperation = {BPF_H, 20};
constexpr Field kSender = {BPF_W, 28};
constexpr Field kTarget = {BPF_W, 38};
constexpr Field kNextHeader = {BPF_B, 20};
constexpr Field kHopLimit = {BPF_B, 21};
constexpr Field kType = {BPF_B, 54};
constexpr std::array<Field, 4> kTargetWords = {{{BPF_W, 62}, {BPF_W, 66}, {BPF_W, 70}, {BPF_W, 74}}};

// A program that grows from its ends: each step is given the one that follows it and returns itself.
struct Draft {
  explicit Draft(uint32_t snap_length) : drop(out.Return(0)), pass(out.Return(snap_length)) {}

  Label Find(const Field& field, std::span<const BpfAssembler::Case> cases, Label otherwise) {
    out.Search(cases, otherwise);
    return out.Load(field.width, field.offset);
  }

  Label Require(const Field& field, const Interval& values, Label then) {
    return Find(field, std::array{BpfAssembler::Case{values, then}}, drop);
  }

  Label Require(const Field& field, uint32_t value, Label then) { return Require(field, {value, value}, then); }

  BpfAssembler out;
  Label drop;
  Label pass;
};

std::vector<sock_filter> Finish(Draft& draft, uint32_t ether_type, Label then) {
  const Label type = draft.Require(kEtherType, ether_type, then);
  // PACKET_HOST, _BROADCAST and _MULTICAST are below PACKET_OTHERHOST, what we sent ourselves is above.
  draft.Require(kPacketType, {0, PACKET_OTHERHOST - 1}, type);
  return draft.out.Program();
}

std::vector<sock_filter> FinishArp(Draft& draft, Label then) {
  return Finish(draft, ETH_P_ARP, draft.Require(kOperation, {1, 2}, then));
}

std::vector<sock_filter> FinishNdp(Draft& draft, Label then) {
  const Label type = draft.Require(kType, {135, 136}, then);
  const Label hop_limit = draft.Require(kHopLimit, 255, type);
  return Finish(draft, ETH_P_IPV6, draft.Require(kNextHeader, 58, hop_limit));
}

std::vector<BpfAssembler::Case> Leading(std::span<const Interval> intervals, Label target) {
  std::vector<BpfAssembler::Case> cases;
  cases.reserve(intervals.size());
  for (const Interval& interval : intervals) cases.push_back({interval, target});
  return cases;
}

// Appends `value`, which is above all that is there.
void Append(std::vector<Interval>& intervals, uint32_t value) {
  if (!intervals.empty() && intervals.back().high + 1 == value) {
    intervals.back().high = value;
  } else {
    intervals.push_back({value, value});
  }
}

// At most `count`, joined across the smallest gaps.
std::vector<Interval> Joined(std::span<const Interval> intervals, size_t count) {
  if (intervals.size() <= count) return {intervals.begin(), intervals.end()};
  struct Gap {
    uint32_t width;
    size_t before;  // the interval at its lower end
  };
  std::vector<Gap> gaps;
  gaps.reserve(intervals.size());
  for (size_t i = 0; i + 1 < intervals.size(); i++) gaps.push_back({intervals[i + 1].low - intervals[i].high, i});
  const auto kept = gaps.begin() + static_cast<ptrdiff_t>(count - 1);
  std::ranges::nth_element(gaps, kept, std::greater(), &Gap::width);
  gaps.erase(kept, gaps.end());
  std::ranges::sort(gaps, {}, &Gap::before);

  std::vector<Interval> joined;
  size_t first = 0;
  for (const Gap& gap : gaps) {
    joined.push_back({intervals[first].low, intervals[gap.before].high});
    first = gap.before + 1;
  }
  joined.push_back({intervals[first].low, intervals.back().high});
  return joined;
}

// What `build` makes of the intervals, joined as little as the limit allows.
template <typename Build>
FilterProgram Fit(std::span<const Interval> all, size_t limit, const Build& build) {
  // None takes less than an instruction.
  const std::vector<Interval> intervals = Joined(all, limit);
  std::vector<sock_filter> best = build(intervals);
  const FilterForm form = intervals.size() == all.size() ? FilterForm::kExact : FilterForm::kRanges;
  if (best.size() <= limit) return {std::move(best), form};
  size_t fits = 1;
  size_t too_many = intervals.size();
  best = build(Joined(intervals, fits));
  while (too_many - fits > 1) {
    const size_t middle = fits + (too_many - fits) / 2;
    std::vector<sock_filter> program = build(Joined(intervals, middle));
    if (program.size() <= limit) {
      fits = middle;
      best = std::move(program);
    } else {
      too_many = middle;
    }
  }
  return {std::move(best), FilterForm::kRanges};
}

uint32_t Word(const IpAddress& address, size_t index) {
  const uint8_t* bytes = &address.bytes[4 * index];
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

FilterProgram BuildArp(std::span<const IpAddress> addresses, size_t limit) {
  std::vector<Interval> intervals;
  for (const IpAddress& address : addresses) Append(intervals, Word(address, 0));
  return Fit(intervals, limit, [](std::span<const Interval> values) {
    Draft draft(kArpSnapLength);
    const auto cases = Leading(values, draft.pass);
    // The search is there twice: there is no way back to it.
    const Label sender = draft.Find(kSender, cases, draft.drop);
    return FinishArp(draft, draft.Find(kTarget, cases, sender));
  });
}

// Addresses that share their first three words.
struct Network {
  std::array<uint32_t, 3> words;
  std::vector<Interval> hosts;
};

std::vector<Network> Networks(std::span<const IpAddress> addresses) {
  std::vector<Network> networks;
  for (const IpAddress& address : addresses) {
    const std::array words = {Word(address, 0), Word(address, 1), Word(address, 2)};
    if (networks.empty() || networks.back().words != words) networks.push_back({words, {}});
    Append(networks.back().hosts, Word(address, 3));
  }
  return networks;
}

// A search for word `index` of the target, which leads to one for the next word in each of the networks that share it.
Label FindNetwork(Draft& draft, std::span<const Network> networks, size_t index) {
  if (index == 3) return draft.Find(kTargetWords[3], Leading(networks.front().hosts, draft.pass), draft.drop);
  std::vector<BpfAssembler::Case> cases;
  while (!networks.empty()) {
    const uint32_t word = networks.front().words[index];
    const auto other =
        std::ranges::find_if(networks, [&](const Network& network) { return network.words[index] != word; });
    const auto count = static_cast<size_t>(other - networks.begin());
    cases.push_back({{word, word}, FindNetwork(draft, networks.first(count), index + 1)});
    networks = networks.subspan(count);
  }
  return draft.Find(kTargetWords[index], cases, draft.drop);
}

// The last words of all networks together, and how far the others reach.
FilterProgram BuildNdpRanges(std::span<const IpAddress> addresses, std::span<const Network> networks, size_t limit) {
  std::vector<uint32_t> words;
  words.reserve(addresses.size());
  for (const IpAddress& address : addresses) words.push_back(Word(address, 3));
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::vector<Interval> hosts;
  for (const uint32_t word : words) Append(hosts, word);

  std::array<Interval, 3> reach;
  for (size_t i = 0; i < reach.size(); i++) {
    const auto word = [i](const Network& network) { return network.words[i]; };
    reach[i] = {std::ranges::min(networks, {}, word).words[i], std::ranges::max(networks, {}, word).words[i]};
  }
  FilterProgram program = Fit(hosts, limit, [&](std::span<const Interval> values) {
    Draft draft(kNdpSnapLength);
    Label then = draft.Find(kTargetWords[3], Leading(values, draft.pass), draft.drop);
    for (size_t i = reach.size(); i-- > 0;) then = draft.Require(kTargetWords[i], reach[i], then);
    return FinishNdp(draft, then);
  });
  program.form = FilterForm::kRanges;
  return program;
}

FilterProgram BuildNdp(std::span<const IpAddress> addresses, size_t limit) {
  const std::vector<Network> networks = Networks(addresses);
  size_t intervals = 0;
  for (const Network& network : networks) intervals += network.hosts.size();
  if (intervals <= limit) {
    Draft draft(kNdpSnapLength);
    std::vector<sock_filter> exact = FinishNdp(draft, FindNetwork(draft, networks, 0));
    if (exact.size() <= limit) return {std::move(exact), FilterForm::kExact};
  }
  return BuildNdpRanges(addresses, networks, limit);
}

}  // namespace

FilterProgram BuildFilter(Protocol protocol, std::span<const IpAddress> addresses, size_t limit) {
  if (addresses.empty()) return {{BPF_STMT(BPF_RET | BPF_K, 0)}, FilterForm::kExact};
  return protocol == Protocol::kArp ? BuildArp(addresses, limit) : BuildNdp(addresses, limit);
}

FilterProgram BuildOpenFilter(Protocol protocol) {
  Draft draft(protocol == Protocol::kArp ? kArpSnapLength : kNdpSnapLength);
  auto program = protocol == Protocol::kArp ? FinishArp(draft, draft.pass) : FinishNdp(draft, draft.pass);
  return {std::move(program), FilterForm::kRanges};
}

}  // namespace garpoon
