#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plait::lab {

// A mistake on the command line: exit status 2, the text says what would be right.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class preset { normal, quick, smoke, full };

struct bench_options {
  std::vector<std::string> selection;  // workload ids and groups; empty: the preset's own choice
  std::vector<std::string> models;     // empty: all that fit
  std::vector<std::string> drivers;    // empty: what plait chooses
  std::vector<long> sizes;             // empty: the workload's
  std::vector<int> workers;            // empty: as many as CPUs
  std::optional<double> window_s;
  std::optional<double> warmup_s;
  std::optional<int> repetitions;
  lab::preset preset = preset::normal;
  std::uint64_t seed = 0;  // 0: drawn, and recorded
  std::string json_path;
  bool list = false;
  bool dry_run = false;
  bool color = true;
  bool progress = true;

  // Filled in from the preset where not given.
  double window() const;
  double warmup() const;
  int reps() const;
  bool tour() const { return selection.empty() && preset == lab::preset::quick; }
};

// "10", "1k", "100k", "1M".
long parse_count(std::string_view text);
// "250ms", "2s", "1.5m", plain numbers are seconds.
double parse_duration(std::string_view text);
// Comma-separated, no empty parts.
std::vector<std::string> split_list(std::string_view text);

}  // namespace plait::lab
