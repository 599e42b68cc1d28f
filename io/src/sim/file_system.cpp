#include "file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdio.h>

namespace plait::io::sim {
namespace {

constexpr std::size_t path_bytes_max = 4095;
constexpr std::size_t name_bytes_max = 255;
constexpr std::uint64_t file_bytes_max = std::uint64_t{1} << 30;  // it is memory, after all

bool writes(int flags) noexcept { return (flags & O_ACCMODE) != O_RDONLY; }

}  // namespace

file_system::file_system(testing::sim_options const& options, random_numbers& random,
                         agenda const& plan)
    : options_(options), random_(random), plan_(plan), root_(make(S_IFDIR | 0755)) {
  root_->links = 1;
}

// A directory can stand below another one for programs, and above it on the disk.
file_system::~file_system() {
  std::vector<file_node_ptr> found{root_};
  std::set<file_node const*> seen{root_.get()};
  for (change const& c : pending_) {
    for (edit const& e : c) {
      if (seen.insert(e.in.get()).second) found.push_back(e.in);
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    file_node_ptr const node = found[i];
    for (auto const* const names : {&node->entries, &node->durable_entries}) {
      for (auto const& [name, below] : *names) {
        if (seen.insert(below.get()).second) found.push_back(below);
      }
    }
    node->entries.clear();
    node->durable_entries.clear();
  }
}

file_node_ptr file_system::make(mode_t mode) {
  auto node = std::make_shared<file_node>();
  node->inode = ++last_inode_;
  node->mode = mode;
  node->modified = node->changed = plan_.now();
  return node;
}

file_node_ptr file_system::place::node() const {
  if (name.empty()) return above.back();
  auto const at = above.back()->entries.find(name);
  return at == above.back()->entries.end() ? nullptr : at->second;
}

int file_system::descend(std::string_view name, std::vector<file_node_ptr>& above) {
  if (name == ".") return 0;
  if (name == "..") {
    if (above.size() > 1) above.pop_back();
    return 0;
  }
  auto const at = above.back()->entries.find(name);
  if (at == above.back()->entries.end()) return -ENOENT;
  if (!at->second->is_directory()) return -ENOTDIR;
  above.push_back(at->second);
  return 0;
}

int file_system::resolve(std::string_view path, place& found) const {
  if (!powered_) return -EIO;
  if (path.empty()) return -ENOENT;
  if (path.size() > path_bytes_max) return -ENAMETOOLONG;
  found.above = {root_};
  std::vector<std::string_view> names;
  found.as_directory = path.back() == '/';
  while (!path.empty()) {
    auto const name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.size() > name_bytes_max) return -ENAMETOOLONG;
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) return 0;
  bool const last_is_name = names.back() != "." && names.back() != "..";
  if (last_is_name) {
    found.name = names.back();
    names.pop_back();
  }
  for (auto const name : names) {
    if (int const answer = descend(name, found.above); answer < 0) return answer;
  }
  return 0;
}

int file_system::find(char const* path, file_node_ptr& found) const {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  found = at.node();
  if (found == nullptr) return -ENOENT;
  return at.as_directory && !found->is_directory() ? -ENOTDIR : 0;
}

int file_system::open(char const* path, int flags, mode_t permissions, file_node_ptr& found) {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  found = at.node();
  if (found == nullptr) {
    if ((flags & O_CREAT) == 0) return -ENOENT;
    if (at.as_directory) return -EISDIR;
    found = make(S_IFREG | (permissions & 07777));
    commit({{at.above.back(), at.name, found}});
  } else {
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
    if (found->is_directory() && (writes(flags) || (flags & O_CREAT) != 0)) return -EISDIR;
    if (!found->is_directory() && (at.as_directory || (flags & O_DIRECTORY) != 0)) return -ENOTDIR;
    if (S_ISSOCK(found->mode)) return -ENXIO;
    if ((flags & O_TRUNC) != 0) resize(*found, 0);
  }
  ++found->opened;
  return 0;
}

file_node_ptr file_system::find(std::string const& path) const {
  file_node_ptr found;
  return find(path.c_str(), found) < 0 ? nullptr : found;
}

int file_system::make_socket(std::string const& path, mode_t mode, any_socket& bound,
                             file_node_ptr& made) {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  if (at.node() != nullptr) return -EADDRINUSE;
  made = make(S_IFSOCK | (mode & 07777));
  made->bound = &bound;
  commit({{at.above.back(), at.name, made}});
  return 0;
}

int file_system::make_directory(char const* path, mode_t permissions) {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  if (at.node() != nullptr) return -EEXIST;
  commit({{at.above.back(), at.name, make(S_IFDIR | (permissions & 07777))}});
  return 0;
}

int file_system::chmod(char const* path, mode_t mode) {
  file_node_ptr node;
  if (int const answer = find(path, node); answer < 0) return answer;
  node->mode = (node->mode & S_IFMT) | (mode & 07777);
  node->changed = plan_.now();
  return 0;
}

int file_system::rename(char const* from, char const* to, unsigned flags) {
  place old_place;
  place new_place;
  if (int const answer = resolve(from, old_place); answer < 0) return answer;
  if (int const answer = resolve(to, new_place); answer < 0) return answer;
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE)) != 0) return -EINVAL;
  if (old_place.name.empty() || new_place.name.empty()) return -EBUSY;
  file_node_ptr const moved = old_place.node();
  file_node_ptr const there = new_place.node();
  if (moved == nullptr) return -ENOENT;
  if (there != nullptr && flags != 0) return -EEXIST;
  if (!moved->is_directory() && (old_place.as_directory || new_place.as_directory)) return -ENOTDIR;
  if (std::count(new_place.above.begin(), new_place.above.end(), moved) != 0) return -EINVAL;
  if (there == moved) return 0;
  if (there != nullptr) {
    if (moved->is_directory() && !there->is_directory()) return -ENOTDIR;
    if (!moved->is_directory() && there->is_directory()) return -EISDIR;
    if (!there->entries.empty()) return -ENOTEMPTY;
  }
  commit({{new_place.above.back(), new_place.name, moved},
          {old_place.above.back(), old_place.name, nullptr}});
  return 0;
}

int file_system::remove_file(char const* path) {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  file_node_ptr const node = at.node();
  if (node == nullptr) return -ENOENT;
  if (node->is_directory()) return -EISDIR;
  if (at.as_directory) return -ENOTDIR;
  commit({{at.above.back(), at.name, nullptr}});
  return 0;
}

int file_system::remove_directory(char const* path) {
  place at;
  if (int const answer = resolve(path, at); answer < 0) return answer;
  file_node_ptr const node = at.node();
  if (node == nullptr) return -ENOENT;
  if (!node->is_directory()) return -ENOTDIR;
  if (at.name.empty()) return -EBUSY;
  if (!node->entries.empty()) return -ENOTEMPTY;
  commit({{at.above.back(), at.name, nullptr}});
  return 0;
}

// Programs see the change at once.
void file_system::commit(change made) {
  for (edit const& e : made) {
    e.in->modified = e.in->changed = plan_.now();
    file_node_ptr const before = [&] {
      auto const at = e.in->entries.find(e.name);
      return at == e.in->entries.end() ? nullptr : at->second;
    }();
    if (e.node != nullptr) {
      e.in->entries[e.name] = e.node;
      ++e.node->links;
    } else {
      e.in->entries.erase(e.name);
    }
    if (before == nullptr) continue;
    before->changed = plan_.now();
    --before->links;
    drop_if_unused(*before);
  }
  pending_.push_back(std::move(made));
}

void file_system::drop_if_unused(file_node const& node) noexcept {
  if (node.links == 0 && node.opened == 0) used_bytes_ -= node.content.seen().size();
}

void file_system::close(file_node& node) {
  --node.opened;
  drop_if_unused(node);
}

std::uint64_t file_system::free_bytes() const noexcept {
  return options_.disk_bytes - std::min(options_.disk_bytes, used_bytes_);
}

// A full disk takes what fits.
ssize_t file_system::write(file_node& file, std::string_view bytes, std::uint64_t offset) {
  if (random_.chance(options_.write_error)) return -EIO;
  if (offset > file_bytes_max || bytes.size() > file_bytes_max - offset) return -EFBIG;
  if (bytes.empty()) return 0;
  std::size_t const before = file.content.seen().size();
  std::uint64_t const end = std::min(offset + bytes.size(), before + free_bytes());
  if (end <= offset) return -ENOSPC;
  std::string_view const fits = bytes.substr(0, static_cast<std::size_t>(end - offset));
  file.content.write(static_cast<std::size_t>(offset), fits);
  used_bytes_ += file.content.seen().size() - before;
  file.modified = file.changed = plan_.now();
  return static_cast<ssize_t>(fits.size());
}

int file_system::resize(file_node& file, std::uint64_t size) {
  std::size_t const before = file.content.seen().size();
  if (size > file_bytes_max) return -EFBIG;
  if (size > before && size - before > free_bytes()) return -ENOSPC;
  file.content.resize(static_cast<std::size_t>(size));
  used_bytes_ += size;
  used_bytes_ -= before;
  file.modified = file.changed = plan_.now();
  return 0;
}

int file_system::sync(file_node& node) {
  bool const fails = random_.chance(options_.sync_error);
  if (node.is_directory()) {
    if (!fails) sync_directory(node);
    return fails ? -EIO : 0;
  }
  if (fails) {
    ++node.failed_syncs;
    node.content.fail_to_sync(random_);
    return -EIO;
  }
  node.content.sync();
  return 0;
}

void file_system::store(change const& made) {
  for (edit const& e : made) {
    if (e.node != nullptr) {
      e.in->durable_entries[e.name] = e.node;
    } else {
      e.in->durable_entries.erase(e.name);
    }
  }
}

bool file_system::touches(change const& made, std::set<file_node const*> const& directories) {
  return std::any_of(made.begin(), made.end(),
                     [&](edit const& e) { return directories.count(e.in.get()) != 0; });
}

// Its own changes, and those that another directory's part in them depends on.
void file_system::sync_directory(file_node const& directory) {
  std::set<file_node const*> needed{&directory};
  std::vector<bool> goes(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    change const& c = pending_[i];
    goes[i] = touches(c, needed);
    if (!goes[i]) continue;
    for (edit const& e : c) needed.insert(e.in.get());
  }
  std::vector<change> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (goes[i]) {
      store(pending_[i]);
    } else {
      left.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(left);
}

// None, all, or of each directory the first ones.
void file_system::keep_some_changes() {
  std::uint64_t const how = random_.below(3);
  std::set<file_node const*> lost;  // directories that have lost a change
  for (change const& c : pending_) {
    bool const kept = how == 1 || (how == 2 && random_.chance(0.5));
    if (kept && !touches(c, lost)) {
      store(c);
    } else {
      for (edit const& e : c) lost.insert(e.in.get());
    }
  }
  pending_.clear();
}

void file_system::restart(file_node& directory) {
  directory.entries = directory.durable_entries;
  for (auto const& [name, node] : directory.entries) {
    node->links = 1;
    node->opened = 0;
    node->bound = nullptr;
    if (node->is_directory()) {
      restart(*node);
    } else {
      node->content.lose_power(random_);
      used_bytes_ += node->content.seen().size();
    }
  }
}

void file_system::lose_power() {
  powered_ = false;
  ++boots_;
  used_bytes_ = 0;
  keep_some_changes();
  restart(*root_);
}

void file_system::describe(file_node const& node, struct stat& into) noexcept {
  auto const time_of = [](time_point t) {
    auto const since = t.time_since_epoch();
    auto const s = std::chrono::floor<std::chrono::seconds>(since);
    return timespec{static_cast<time_t>(s.count()), static_cast<long>((since - s).count())};
  };
  into = {};
  into.st_dev = 1;
  into.st_ino = node.inode;
  into.st_mode = node.mode;
  into.st_nlink = node.links;
  if (node.is_directory()) {
    into.st_nlink = 2;  // its name above, its own "."
    for (auto const& [name, below] : node.entries) into.st_nlink += below->is_directory() ? 1 : 0;
  }
  into.st_size = static_cast<off_t>(node.content.seen().size());
  into.st_blksize = 4096;
  into.st_blocks = (into.st_size + 511) / 512;
  into.st_mtim = into.st_atim = time_of(node.modified);
  into.st_ctim = time_of(node.changed);
}

}  // namespace plait::io::sim
