#include <plait/task_tree.hpp>

#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace plait {
namespace {

std::string hex(std::uint64_t id) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(id));
  return text;
}

std::string place_of(await_point const& p) { return detail::place(p.file, p.line); }

std::string place_of(live_task const& t) { return t.awaits.empty() ? "-" : place_of(t.awaits.front()); }

std::string joined(std::vector<std::string> const& parts, char const* between) {
  std::string text;
  for (std::string const& p : parts) text += (text.empty() ? "" : between) + p;
  return text;
}

std::string state_of(live_task const& t) {
  std::string text(to_string(t.activity));
  if (t.cancelled) text += ", cancelled";
  return text;
}

// What a task is doing, in a line's words.
std::string summary(live_task const& t) {
  std::string text = t.name + "  ";
  if (t.activity == task_activity::waiting) {
    text += "waits for " + joined(t.waits_for, " or ") + " (" + to_string(t.waited) + ")";
    if (t.cancelled) text += ", cancelled,";
  } else {
    text += state_of(t);
  }
  if (!t.awaits.empty()) text += " at " + place_of(t.awaits.front());
  return text;
}

using row = std::array<std::string, 6>;

// Cells are counted in bytes: names beyond ASCII stand a little to the left.
std::string table(std::vector<row> const& rows) {
  std::array<std::size_t, 6> widths{};
  for (row const& r : rows) {
    for (std::size_t i = 0; i < r.size(); ++i) widths[i] = std::max(widths[i], r[i].size());
  }
  std::string text;
  for (row const& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < r.size(); ++i) {
      line += r[i];
      if (i + 1 < r.size()) line.append(widths[i] + 2 - r[i].size(), ' ');
    }
    text += line + "\n";
  }
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

template <class List, class Fn>
std::string json_array(List const& list, Fn const& each) {
  std::string text = "[";
  for (auto const& element : list) text += (text.size() == 1 ? "" : ",") + each(element);
  return text + "]";
}

}  // namespace

std::string_view to_string(task_activity a) noexcept {
  switch (a) {
    case task_activity::running: return "running";
    case task_activity::ready: return "ready";
    case task_activity::waiting: return "waiting";
  }
  return "?";
}

std::string to_string(duration d) {
  double const seconds = std::chrono::duration<double>(d).count();
  char text[48];
  if (seconds < 0.9995) {
    std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  } else if (seconds < 120) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (seconds < 7200) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    auto const minutes = static_cast<long long>(seconds / 60);
    std::snprintf(text, sizeof text, "%lld h %lld min", minutes / 60, minutes % 60);
  }
  return text;
}

std::string task_tree::to_text() const {
  std::vector<row> rows{{"TASK", "STATE", "SINCE", "AT", "NAME", "WAITS FOR"}};
  for (live_task const& t : tasks) {
    bool const waits = t.activity == task_activity::waiting;
    rows.push_back({hex(t.id), state_of(t), waits ? to_string(t.waited) : "-", place_of(t), t.name,
                    waits ? joined(t.waits_for, " or ") : "-"});
  }
  return table(rows);
}

std::string task_tree::to_tree() const {
  // Whether a task is the last of its parent's children: the one that no later one follows.
  std::vector<bool> is_last(tasks.size(), true);
  std::vector<std::size_t> last_child(tasks.size(), live_task::none);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].parent == live_task::none) continue;
    std::size_t& previous = last_child[tasks[i].parent];
    if (previous != live_task::none) is_last[previous] = false;
    previous = i;
  }
  std::vector<std::string> indents(tasks.size());
  std::string text;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].parent == live_task::none) {
      text += summary(tasks[i]) + "\n";
      continue;
    }
    std::string const& around = indents[tasks[i].parent];
    text += around + (is_last[i] ? "└─ " : "├─ ") + summary(tasks[i]) + "\n";
    indents[i] = around + (is_last[i] ? "   " : "│  ");
  }
  return text;
}

std::string task_tree::to_json() const {
  auto const point = [](await_point const& p) {
    return "{\"function\":" + quoted(p.function) + ",\"file\":" + quoted(p.file) +
           ",\"line\":" + std::to_string(p.line) + "}";
  };
  auto const one = [&](live_task const& t) {
    return "{\"id\":" + quoted(hex(t.id)) + ",\"name\":" + quoted(t.name) + ",\"state\":" +
           quoted(to_string(t.activity)) + ",\"cancelled\":" + (t.cancelled ? "true" : "false") +
           ",\"parent\":" + (t.parent == live_task::none ? "null" : quoted(hex(tasks[t.parent].id))) +
           ",\"waits_for\":" + json_array(t.waits_for, quoted) +
           ",\"waited_ms\":" + std::to_string(t.waited.count() / 1'000'000) +
           ",\"awaits\":" + json_array(t.awaits, point) + "}";
  };
  return json_array(tasks, one);
}

std::string task_tree::to_backtrace(std::string_view task) const {
  std::string text;
  for (live_task const& t : tasks) {
    if (t.name != task && hex(t.id) != task) continue;
    text += hex(t.id) + " " + summary(t) + "\n";
    for (await_point const& p : t.awaits) {
      text += "  " + p.function + "\n    at " + p.file + ":" + std::to_string(p.line) + "\n";
    }
  }
  return text;
}

}  // namespace plait
