// The file system of the simulated machine: directories, files, and what of both a loss of power
// leaves. A change of names (a file made, renamed, removed) is durable when a directory that it has
// changed was synced; until then it is pending, and of the changes of one directory a loss of power
// keeps the first ones, as many as it likes. A rename is kept or lost as a whole.
#pragma once

#include "agenda.hpp"
#include "file_content.hpp"

#include <plait/testing/sim.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

namespace plait::io::sim {

class any_socket;
struct file_node;
using file_node_ptr = std::shared_ptr<file_node>;

struct file_node {
  ino_t inode = 0;
  mode_t mode = 0;  // with the type
  unsigned links = 0;  // names that programs see
  unsigned opened = 0;
  time_point modified{};
  time_point changed{};
  file_content content;
  std::uint64_t failed_syncs = 0;
  std::map<std::string, file_node_ptr, std::less<>> entries;
  std::map<std::string, file_node_ptr, std::less<>> durable_entries;
  any_socket* bound = nullptr;  // while it is open: the socket whose file this is

  bool is_directory() const noexcept { return S_ISDIR(mode); }
};

class file_system {
 public:
  file_system(testing::sim_options const& options, random_numbers& random, agenda const& plan);
  ~file_system();
  file_system(file_system const&) = delete;
  file_system& operator=(file_system const&) = delete;

  // Results or negative errnos, as the kernel's.
  int open(char const* path, int flags, mode_t permissions, file_node_ptr& found);
  int find(char const* path, file_node_ptr& found) const;
  // nullptr: nothing is there.
  file_node_ptr find(std::string const& path) const;
  // A file for a socket; -EADDRINUSE where something is there.
  int make_socket(std::string const& path, mode_t mode, any_socket& bound, file_node_ptr& made);
  int make_directory(char const* path, mode_t permissions);
  int chmod(char const* path, mode_t mode);
  int rename(char const* from, char const* to, unsigned flags);
  int remove_file(char const* path);
  int remove_directory(char const* path);

  ssize_t write(file_node& file, std::string_view bytes, std::uint64_t offset);
  int resize(file_node& file, std::uint64_t size);
  int sync(file_node& node);
  void close(file_node& node);
  static void describe(file_node const& node, struct stat& into) noexcept;

  // All that was not synced is lost, or a part of it. What was open stays so and is dead; without
  // power nothing can be opened.
  void lose_power();
  void restore_power() noexcept { powered_ = true; }
  bool has_power() const noexcept { return powered_; }
  std::uint64_t boots() const noexcept { return boots_; }

 private:
  // Where a path leads: the directories above, the last of which has it under this name. Without a
  // name it is the last directory itself.
  struct place {
    std::vector<file_node_ptr> above;
    std::string name;
    bool as_directory = false;  // it ends with a slash

    file_node_ptr node() const;
  };
  // One directory's part in a change; without a node the name is removed.
  struct edit {
    file_node_ptr in;
    std::string name;
    file_node_ptr node;
  };
  using change = std::vector<edit>;

  int resolve(std::string_view path, place& found) const;
  static int descend(std::string_view name, std::vector<file_node_ptr>& above);
  file_node_ptr make(mode_t mode);
  void commit(change made);
  static void store(change const& made);
  // The set is only looked up in: its order is nobody's.
  static bool touches(change const& made, std::set<file_node const*> const& directories);
  void sync_directory(file_node const& directory);
  void keep_some_changes();
  void restart(file_node& directory);
  std::uint64_t free_bytes() const noexcept;
  void drop_if_unused(file_node const& node) noexcept;

  testing::sim_options const& options_;
  random_numbers& random_;
  agenda const& plan_;
  file_node_ptr root_;
  std::vector<change> pending_;  // oldest first
  ino_t last_inode_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t boots_ = 0;
  bool powered_ = true;
};

}  // namespace plait::io::sim
