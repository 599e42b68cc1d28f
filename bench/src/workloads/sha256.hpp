#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "method/cell.hpp"

namespace plait::lab {

using digest = std::array<std::uint8_t, 32>;

// SHA-256 by OpenSSL's EVP interface.
digest sha256(std::span<std::byte const> data);

// The blocks of a batch and their digests.
class sha256_blocks {
 public:
  static constexpr std::size_t block_bytes = 1 << 20;

  // Random content by the seed. The expected digests come from the one-shot call on a first pass,
  // checked against the published digest of "abc" (FIPS 180-2).
  sha256_blocks(long blocks, std::uint64_t seed);

  long count() const { return static_cast<long>(expected_.size()); }
  std::span<std::byte const> block(long i) const;
  // Throws where a digest is wrong.
  void check(std::span<digest const> digests) const;

 private:
  std::vector<std::byte> data_;
  std::vector<digest> expected_;
};

}  // namespace plait::lab
