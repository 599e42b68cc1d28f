#pragma once

#include <sys/types.h>

namespace plait::lab {

// What a process tree has spent so far: the process with its threads and its reaped children,
// and recursively its living descendants. Two snapshots subtracted give a window.
struct usage {
  double user_s = 0;
  double system_s = 0;
  double voluntary = 0;  // context switches
  double involuntary = 0;

  double cpu_s() const { return user_s + system_s; }
  double switches() const { return voluntary + involuntary; }
  usage& operator+=(usage const& other);
  friend usage operator-(usage a, usage const& b);
};

// The calling process and everything below it.
usage usage_now();
// Another process (a server under test) and everything below it, from /proc; zeros once it is
// gone. Its CPU time comes from schedstat, which has no user/system split: all of it is user_s.
usage usage_of(pid_t pid);

// Bytes of memory held by a process tree, and by the kernel for it and everybody else.
struct memory_sample {
  double rss = 0;            // sum over the tree: pages that several processes share count in each
  double pss = 0;            // sum over the tree: shared pages count once in all
  double page_tables = 0;    // of the tree
  double kernel_stacks = 0;  // of the machine, as all below
  double slab = 0;
  double available = 0;
};
memory_sample memory_now();

// Reads "NAME: VALUE kB" from a file such as /proc/meminfo, in bytes; 0 if it is not there.
double proc_field(char const* path, char const* name);

}  // namespace plait::lab
