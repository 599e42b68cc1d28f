#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "method/cell.hpp"

namespace plait::lab {

// The small files that io.files reads: made once for a run of the lab, in a folder of its own,
// and found by the repetitions through the environment.
class file_corpus {
 public:
  static constexpr std::size_t files = 1024;
  static constexpr std::size_t file_bytes = 16 * 1024;
  static constexpr char const* variable = "PLAIT_LAB_FILES";  // holds the folder's path

  // Writes the files below TMPDIR (or /tmp), and takes them away again. Throws where that fails.
  class owner {
   public:
    owner();
    ~owner();
    owner(owner const&) = delete;
    owner& operator=(owner const&) = delete;
    std::string const& folder() const { return folder_; }

   private:
    std::string folder_;
  };

  // Opens what an owner has made, by the variable.
  file_corpus();

  char const* path(std::size_t file) const { return paths_[file].c_str(); }
  // Throws unless these are the contents of that file.
  void check(std::size_t file, std::span<std::byte const> contents) const;

 private:
  std::vector<std::string> paths_;
  std::vector<std::uint64_t> sums_;
};

// open, read, close by plain system calls, and the check.
void read_file_blocking(file_corpus const& corpus, std::size_t file, std::span<std::byte> buffer);

// The repetition around a function that reads the whole corpus once.
rep_result run_files(cell const& c, void (*read_all)(cell const& c, file_corpus const& corpus));

}  // namespace plait::lab
