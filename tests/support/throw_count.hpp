#pragma once

namespace plait::test {

// How many exceptions this thread has thrown so far. Rethrowing one that exists is not counted.
long throws_on_this_thread() noexcept;

}  // namespace plait::test
