#pragma once

#include <string>

#include "method/report.hpp"

namespace plait::lab {

// The report as `plait-bench/1`, described by bench/schema/plait-bench-1.json.
std::string render_json(bench_report const& report);

// Writes it whole or not at all (a temporary file beside it, renamed). Throws std::system_error
// that names the file.
void write_file(std::string const& path, std::string const& text);

// {"cpu": ..., "kernel": ...}: the env member alone, for doctor --json.
std::string render_environment_json(environment const& e);

}  // namespace plait::lab
