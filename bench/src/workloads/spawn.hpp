#pragma once

#include <functional>

#include "method/window.hpp"

namespace plait::lab {

// The repetition of cost.spawn around a function that makes one unit, which adds 1 to `ran`, and
// joins it. The window looks at the clock once for each `batch` of units.
rep_result run_spawns(cell const& c, int batch, long const& ran,
                      std::function<void()> const& spawn_and_join);

// The same for models that run the loop themselves.
rep_result finish_spawns(window const& w, long expected, long ran);

}  // namespace plait::lab
