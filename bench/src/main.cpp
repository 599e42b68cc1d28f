#include <plait/run.hpp>

#include "cli/cli.hpp"

int main(int argc, char** argv) {
  // Before everything else: the workers of a process pool are this same program.
  plait::detail::enter_process_role(argc, argv);
  return plait::lab::main_of_lab(argc, argv);
}
