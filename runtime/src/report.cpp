#include "report.hpp"

namespace plait::detail {

std::string name_of(char const* kind, char const* name) {
  if (name != nullptr) return std::string(kind) + " \"" + name + "\"";
  bool const vowel = std::string_view("aeiou").find(kind[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(kind);
}

std::string name_of(task_state const& task) {
  if (task.name != nullptr) return name_of("task", task.name);
  if (task.leaf == nullptr) return "a task";
  auto const* outermost = task.leaf;
  while (outermost->parent != &task.link) outermost = static_cast<frame_link const*>(outermost->parent);
  return "the task at " + place(outermost->await_at);
}

std::string place(std::string_view file, unsigned line) {
  file.remove_prefix(file.rfind('/') + 1);
  return std::string(file) + ":" + std::to_string(line);
}

std::string place(std::source_location const& at) {
  return at.line() == 0 ? "its beginning" : place(at.file_name(), at.line());
}

}  // namespace plait::detail
