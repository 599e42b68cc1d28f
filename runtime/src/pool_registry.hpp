#pragma once

#include <cstdint>
#include <string>

namespace plait::detail {

// A digest of this program's build id: what the two ends of a pool compare before they talk.
std::uint64_t program_identity();
std::string identity_text(std::uint64_t identity);

}  // namespace plait::detail
