#include "file_content.hpp"

#include <algorithm>

namespace plait::io::sim {

void file_content::touch(std::size_t from, std::size_t to) {
  for (std::size_t s = from / sector; s * sector < to; ++s) dirty_.insert(s);
}

void file_content::write(std::size_t at, std::string_view bytes) {
  if (bytes.empty()) return;
  if (at > seen_.size()) touch(seen_.size(), at);
  seen_.resize(std::max(seen_.size(), at + bytes.size()));
  seen_.replace(at, bytes.size(), bytes);
  touch(at, at + bytes.size());
}

void file_content::resize(std::size_t size) {
  touch(std::min(size, seen_.size()), std::max(size, seen_.size()));
  seen_.resize(size);
}

// As far as the file goes on the disk.
void file_content::store(std::size_t number) {
  std::size_t const from = number * sector;
  std::size_t const end = std::min({from + sector, seen_.size(), durable_.size()});
  if (from < end) durable_.replace(from, end - from, seen_, from, end - from);
}

void file_content::sync() {
  durable_.resize(seen_.size());
  for (std::size_t const s : dirty_) store(s);
  dirty_.clear();
}

std::size_t file_content::some_size(random_numbers& random) const noexcept {
  std::size_t const low = std::min(durable_.size(), seen_.size());
  std::size_t const high = std::max(durable_.size(), seen_.size());
  switch (random.below(3)) {
    case 0: return durable_.size();
    case 1: return seen_.size();
    default: {
      std::uint64_t const sectors = random.below((high - low) / sector + 1);
      return low + static_cast<std::size_t>(sectors) * sector;
    }
  }
}

void file_content::fail_to_sync(random_numbers& random) {
  durable_.resize(some_size(random));
  for (std::size_t const s : dirty_) {
    if (random.chance(0.5)) store(s);
  }
  dirty_.clear();
}

// Everything is lost, nothing is, or the file is torn.
void file_content::lose_power(random_numbers& random) {
  std::uint64_t const how = random.below(3);
  if (how == 1) sync();
  if (how == 2) fail_to_sync(random);
  dirty_.clear();
  seen_ = durable_;
}

}  // namespace plait::io::sim
