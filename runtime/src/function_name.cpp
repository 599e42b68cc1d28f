#include <plait/task_tree.hpp>

#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace plait {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// Without what stands between these brackets, and them. An arrow's > closes nothing.
std::string without(std::string_view text, char open, char close) {
  std::string kept;
  int depth = 0;
  for (char const c : text) {
    if (c == open) ++depth;
    if (depth == 0) kept += c;
    if (c == close && depth > 0) --depth;
  }
  return kept;
}

// g++ gives the name of the function that a coroutine became: void f(f(int)::_Z1fi.Frame*).
std::string demangled(std::string text) {
  auto const from = text.find("::_Z");
  auto const to = text.find(".Frame", from);
  if (from == std::string::npos || to == std::string::npos) return text;
  std::string const mangled = text.substr(from + 2, to - from - 2);
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> const plain(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(plain.get()) : text;
}

// {lambda(int)#1} of g++, (anonymous class) and (lambda at file:line:column) of clang
void name_lambdas(std::string& text) {
  replace_all(text, "(anonymous class)", "lambda");
  for (auto at = text.find("(lambda at "); at != std::string::npos; at = text.find("(lambda at ")) {
    auto const end = text.find(')', at);
    text.replace(at, end == std::string::npos ? end : end + 1 - at, "lambda");
  }
  for (auto at = text.find("{lambda"); at != std::string::npos; at = text.find("{lambda")) {
    auto const end = text.find('}', at);
    text.replace(at, end == std::string::npos ? end : end + 1 - at, "lambda");
  }
}

}  // namespace

std::string function_name(char const* pretty) {
  if (pretty == nullptr) return {};
  std::string text = demangled(pretty);
  for (char const* const unnamed : {"(anonymous namespace)::", "{anonymous}::", "<unnamed>::"}) {
    replace_all(text, unnamed, "");
  }
  if (auto const values = text.find(" ["); values != std::string::npos) text.erase(values);
  name_lambdas(text);
  replace_all(text, "operator()", "");
  if (auto const result = text.find(" -> "); result != std::string::npos) text.erase(result);
  text = without(without(text, '<', '>'), '(', ')');
  for (char const* const suffix : {" const", " noexcept", " &", " &&"}) replace_all(text, suffix, "");
  if (auto const type = text.rfind(' '); type != std::string::npos) text.erase(0, type + 1);
  while (text.ends_with("::")) text.erase(text.size() - 2);
  return text;
}

}  // namespace plait
