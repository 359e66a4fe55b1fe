// Runs every test case. Cases that make interfaces need a network namespace of their own: the program starts itself
// again inside one, through unshare(1), before anything else.

#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "check.h"

namespace {

constexpr char kInside[] = "--inside";

bool CanUnshare(const char* options) {
  return std::system((std::string("unshare ") + options + " true >/dev/null 2>&1").c_str()) == 0;
}

// Returns only when no namespace is to be had.
void EnterNamespace() {
  char program[PATH_MAX] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return;
  if (geteuid() == 0 && CanUnshare("--net")) execlp("unshare", "unshare", "--net", program, kInside, nullptr);
  if (CanUnshare("--user --map-root-user --net")) {
    execlp("unshare", "unshare", "--user", "--map-root-user", "--net", program, kInside, nullptr);
  }
}

const char* BaseName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace garpoon::test;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool inside = argc > 1 && std::strcmp(argv[1], kInside) == 0;
  if (!inside) EnterNamespace();
  const char* ci = std::getenv("CI");
  const bool must_run = ci != nullptr && std::strcmp(ci, "true") == 0;

  int passed = 0, failed = 0, skipped = 0;
  for (const Case& entry : Cases()) {
    if (entry.needs_network && !inside) {
      std::printf("SKIPPED %s: %s\n        unshare refuses a network namespace here\n", BaseName(entry.file),
                  entry.name);
      (must_run ? failed : skipped) += 1;
      continue;
    }
    Failures() = 0;
    entry.body();
    std::printf("%s %s: %s\n", Failures() == 0 ? "ok     " : "FAILED ", BaseName(entry.file), entry.name);
    (Failures() == 0 ? passed : failed) += 1;
  }
  std::printf("#cases %d %d %d\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}
