#pragma once

#include <plait/run.hpp>
#include <plait/task_group.hpp>

namespace plait::lab::micro {

// The value of the body's task, on a scheduler of its own.
template <auto Body>
double measure() {
  return plait::run([] { return Body(); });
}

// The same, of a body that gets a group.
template <auto Body, auto... Arguments>
double measure_in_group() {
  return plait::run([] { return with_task_group(Body, Arguments...); });
}

}  // namespace plait::lab::micro
