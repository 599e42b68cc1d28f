// Runs the models: the case whose name is given, or all.
#include <cstring>

#include "model.hpp"

namespace model {

test_case::test_case(char const* name, body run) : name_(name), run_(run), next_(first_) {
  first_ = this;
}

int test_case::main(int argc, char** argv) {
  int ran = 0;
  int failed = 0;
  for (test_case const* c = first_; c != nullptr; c = c->next_) {
    if (argc > 1 && std::strcmp(argv[1], c->name_) != 0) continue;
    std::cout << c->name_ << std::endl;
    ++ran;
    failed += c->run_() ? 0 : 1;
  }
  std::cout << ran << " ran, " << failed << " failed" << std::endl;
  return ran == 0 || failed != 0 ? 1 : 0;
}

}  // namespace model

int main(int argc, char** argv) { return model::test_case::main(argc, argv); }
