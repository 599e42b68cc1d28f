#pragma once

#include <string_view>

namespace plait::detail {

// CPUs that a control group's quota is worth, rounded up; 0: no limit. The text is that of cgroup
// v2's cpu.max ("200000 100000", "max 100000"), which v1's two files joined by a blank look like too
// (there -1 stands for no limit).
unsigned cpus_of_quota(std::string_view quota_and_period) noexcept;

}  // namespace plait::detail
