// Programs in a simulated world whose every decision is taken from the input: which task is next, how
// late a segment is, what is split, cancelled too late or reset. libFuzzer steers towards orders that
// reach code which no order before has reached.
#include "fuzz.hpp"

#include "programs.hpp"

#include <plait/io/error.hpp>
#include <plait/testing/sim.hpp>

#include <exception>
#include <span>

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  plait::fuzz::input in(data, size);
  std::span<plait::seeds::program const> const all = plait::seeds::programs();
  plait::seeds::program const& p = all[in.byte() % all.size()];
  plait::testing::sim_options options;
  options.reset = in.byte() % 4 == 0 ? 0.05 : 0;
  options.window_bytes_max = in.byte() % 2 == 0 ? 65536 : 100;
  options.bytes = in.bytes();
  try {
    plait::testing::sim_run world(options);
    try {
      world.run(p.body);
    } catch (plait::io::io_error const&) {  // the world had no socket left, for one
    }
    plait::fuzz::require(world.open_descriptors() == 0, "no descriptor is left open");
  } catch (std::exception const& e) {
    std::fprintf(stderr, "%s: ", p.name);
    plait::fuzz::require(false, e.what());
  }
  return 0;
}
