// A regular file's bytes, twice: as programs see them, and as they stand on the disk. What was written
// is dirty, sector by sector, until a sync has brought it there; where the power fails before that, any
// of the dirty sectors may have been written, and none is written by halves.
#pragma once

#include "agenda.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace plait::io::sim {

class file_content {
 public:
  std::string const& seen() const noexcept { return seen_; }

  void write(std::size_t at, std::string_view bytes);
  void resize(std::size_t size);

  void sync();
  // Some sectors are written. The others are taken for clean all the same, as Linux does it: programs
  // see them until the power fails, and no later sync writes them.
  void fail_to_sync(random_numbers& random);

  void lose_power(random_numbers& random);

 private:
  static constexpr std::size_t sector = 512;

  void touch(std::size_t from, std::size_t to);
  void store(std::size_t number);
  std::size_t some_size(random_numbers& random) const noexcept;

  std::string seen_;
  std::string durable_;
  std::set<std::size_t> dirty_;  // numbers of sectors
};

}  // namespace plait::io::sim
