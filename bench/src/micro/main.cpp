// plait_micro list | plait_micro raw|plait BENCH
//
// One number on standard output. bench/micro_compare runs it, interleaved, and makes the table.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include <unistd.h>

#include "micro/micro.hpp"

namespace plait::lab::micro {

double resident_bytes() {
  long pages = 0;
  long resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  require(file && std::fscanf(file, "%ld %ld", &pages, &resident) == 2, "/proc/self/statm");
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void require(bool right, char const* what) {
  if (right) return;
  std::fprintf(stderr, "plait_micro: wrong answer: %s\n", what);
  std::exit(1);
}

}  // namespace plait::lab::micro

int main(int argc, char** argv) {
  using namespace plait::lab::micro;
  using source = std::vector<bench> (*)();
  constexpr source raw[] = {raw_benches, raw_sync_benches};
  constexpr source of_plait[] = {plait_benches, plait_sync_benches};
  try {
    if (argc == 2 && !std::strcmp(argv[1], "list")) {
      for (source const benches : of_plait)
        for (bench const& b : benches()) std::printf("%s\n", b.name);
      return 0;
    }
    if (argc == 3)
      for (source const benches : std::strcmp(argv[1], "raw") ? of_plait : raw)
        for (bench const& b : benches())
          if (!std::strcmp(argv[2], b.name)) {
            std::printf("%.3f\n", b.run());
            return 0;
          }
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait_micro: %s\n", e.what());
    return 1;
  }
  std::fprintf(stderr, "usage: plait_micro list | plait_micro raw|plait BENCH\n");
  return 2;
}
