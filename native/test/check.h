// A small test runner: named cases, checks that print both sides, counts at the end.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace garpoon::test {

struct Case {
  const char* file;
  const char* name;
  bool needs_network;  // runs in a network namespace of its own process
  void (*body)();
};

inline std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

// Of the case that runs now.
inline int& Failures() {
  static int failures = 0;
  return failures;
}

struct Registration {
  Registration(const Case& entry) { Cases().push_back(entry); }
};

template <typename T>
std::string Show(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long>(value));
  } else if constexpr (requires(std::ostringstream & out) { out << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else {
    return "?";
  }
}

template <typename A, typename B>
bool Equal(const A& actual, const B& expected, const char* text, const char* file, int line,
           std::string_view label = "") {
  if (actual == expected) return true;
  Failures() += 1;
  std::printf("    %s:%d: %s is %s, not %s %.*s\n", file, line, text, Show(actual).c_str(), Show(expected).c_str(),
              static_cast<int>(label.size()), label.data());
  return false;
}

inline bool True(bool value, const char* text, const char* file, int line) {
  if (value) return true;
  Failures() += 1;
  std::printf("    %s:%d: not so: %s\n", file, line, text);
  return false;
}

}  // namespace garpoon::test

#define GARPOON_CASE(id, name, network)                                                      \
  static void id();                                                                          \
  static const garpoon::test::Registration id##_registration({__FILE__, name, network, id}); \
  static void id()
#define GARPOON_CASE_AT(line, name, network) GARPOON_CASE_NAMED(line, name, network)
#define GARPOON_CASE_NAMED(line, name, network) GARPOON_CASE(TestAtLine##line, name, network)

// TEST("a sentence of fact") { ... }
#define TEST(name) GARPOON_CASE_AT(__LINE__, name, false)
// The same for a test that makes interfaces.
#define NETWORK_TEST(name) GARPOON_CASE_AT(__LINE__, name, true)

// The last argument of EXPECT_EQ may be a label: which row of a table.
#define EXPECT_EQ(actual, ...) \
  garpoon::test::Equal(actual, GARPOON_FIRST(__VA_ARGS__), #actual, __FILE__, __LINE__ GARPOON_REST(__VA_ARGS__))
#define GARPOON_FIRST(first, ...) first
#define GARPOON_REST(first, ...) __VA_OPT__(, ) __VA_ARGS__
#define EXPECT(condition) garpoon::test::True(condition, #condition, __FILE__, __LINE__)
