#pragma once

#include "method/cell.hpp"

namespace plait::lab {

// The models "pool" (plait::thread_pool) and "ppool" (plait::process_pool), both awaited from
// tasks of one scheduler.
rep_result pool_files(cell const& c);
rep_result pool_primes(cell const& c);
rep_result pool_sha256(cell const& c);
rep_result pool_heartbeat(cell const& c);
rep_result pool_spawn(cell const& c);

rep_result ppool_primes(cell const& c);
rep_result ppool_sha256(cell const& c);
rep_result ppool_heartbeat(cell const& c);
rep_result ppool_spawn(cell const& c);

}  // namespace plait::lab
