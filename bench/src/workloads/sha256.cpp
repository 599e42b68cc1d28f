#include "workloads/sha256.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "method/rng.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "models/pools.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

rep_result run_batches(cell const& c,
                       std::function<void(sha256_blocks const&, std::span<digest>)> const& batch) {
  sha256_blocks const blocks(c.n, c.seed);
  shared_array<digest> digests(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    std::fill(digests.items().begin(), digests.items().end(), digest{});
    batch(blocks, digests.items());
    blocks.check(digests.items());
    w.add(static_cast<double>(c.n) * sha256_blocks::block_bytes);
  }
  return w.result();
}

rep_result inline_run(cell const& c) {
  return run_batches(c, [](sha256_blocks const& blocks, std::span<digest> digests) {
    for (std::size_t i = 0; i < digests.size(); ++i)
      digests[i] = sha256(blocks.block(static_cast<long>(i)));
  });
}

rep_result thread_run(cell const& c) {
  return run_batches(c, [&](sha256_blocks const& blocks, std::span<digest> digests) {
    run_threads(c.n,
                [&](long i) { digests[static_cast<std::size_t>(i)] = sha256(blocks.block(i)); });
  });
}

rep_result process_run(cell const& c) {
  return run_batches(c, [&](sha256_blocks const& blocks, std::span<digest> digests) {
    run_processes(c.n,
                  [&](long i) { digests[static_cast<std::size_t>(i)] = sha256(blocks.block(i)); });
  });
}

}  // namespace

digest sha256(std::span<std::byte const> data) {
  digest result{};
  unsigned length = 0;
  if (::EVP_Digest(data.data(), data.size(), result.data(), &length, ::EVP_sha256(), nullptr) !=
          1 ||
      length != result.size())
    throw std::runtime_error("OpenSSL refused to compute SHA-256");
  return result;
}

sha256_blocks::sha256_blocks(long blocks, std::uint64_t seed)
    : data_(static_cast<std::size_t>(blocks) * block_bytes),
      expected_(static_cast<std::size_t>(blocks)) {
  rng random(seed);
  for (std::size_t at = 0; at < data_.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t const word = random.next();
    std::memcpy(&data_[at], &word, sizeof word);
  }
  constexpr std::string_view abc = "abc";
  constexpr digest of_abc{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                          0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                          0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  check_answer(sha256(std::as_bytes(std::span(abc))) == of_abc, "SHA-256 of \"abc\"");
  for (long i = 0; i < blocks; ++i) expected_[static_cast<std::size_t>(i)] = sha256(block(i));
}

std::span<std::byte const> sha256_blocks::block(long i) const {
  return std::span(data_).subspan(static_cast<std::size_t>(i) * block_bytes, block_bytes);
}

void sha256_blocks::check(std::span<digest const> digests) const {
  for (std::size_t i = 0; i < expected_.size(); ++i)
    check_answer(i < digests.size() && digests[i] == expected_[i],
                 fmt::format("the digest of block {} differs", i));
}

workload cpu_sha256() {
  auto const threads = [](cell const& c) { return needs_threads(static_cast<double>(c.n)); };
  auto const processes = [](cell const& c) { return needs_processes(static_cast<double>(c.n)); };
  return {
      .id = "cpu.sha256",
      .title = "SHA-256 of 1 MiB blocks (OpenSSL) in batches of N: bytes per second",
      .operation = "byte",
      .figure = metric::bytes_per_second,
      .sizes = {16},
      .full_sizes = {2, 16, 64},
      .models = {{"inline", inline_run},
                 {"coro", coro_sha256},
                 {"thread", thread_run, threads},
                 {"pool", pool_sha256},
                 {"process", process_run, processes},
                 {"ppool", ppool_sha256}},
  };
}

}  // namespace plait::lab
