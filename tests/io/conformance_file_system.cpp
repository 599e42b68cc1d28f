// What names and directories do on every driver, one operation and one event at a time.
#include "support/conformance.hpp"

#include <plait/io/directory.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_system.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

using plait::task;
using plait::io::as_result;
using plait::io::directory;
using plait::io::directory_entry;
using plait::io::file;
using plait::io::file_mode;
using plait::io::file_status;
using plait::io::file_type;
using plait::io::make_directory;
using plait::io::path_operation;
using plait::io::read_status;
using plait::io::remove_directory;
using plait::io::remove_file;
using plait::io::rename;
using plait::test::cancelled_before;
using plait::test::cancelled_meanwhile;
using plait::test::make_file;
using plait::test::past_its_deadline;
using plait::test::stage;

namespace {

std::string word_of(std::error_code const& code) {
  if (code == std::errc::no_such_file_or_directory) return "not there";
  if (code == std::errc::file_exists) return "is there";
  if (code == std::errc::bad_file_descriptor) return "not open";
  if (code == std::errc::is_a_directory) return "a directory";
  if (code == std::errc::not_a_directory) return "no directory";
  if (code == std::errc::directory_not_empty) return "not empty";
  if (code == std::errc::filename_too_long) return "too long";
  if (code == std::errc::invalid_argument) return "invalid";
  return code.message();
}

task<std::string> said_by(path_operation op) {
  auto const got = co_await as_result(std::move(op));
  co_return got ? "ok" : word_of(got.error().code);
}

task<std::string> text_in(file& f) {
  std::array<char, 64> buffer;
  std::string all;
  for (;;) {
    std::size_t const n = co_await f.read_at(all.size(), buffer);
    if (n == 0) co_return all;
    all.append(buffer.data(), n);
  }
}

// What stands under the name: a file's text, "a directory", or the error's word.
task<std::string> what_is(std::string path) {
  auto const status = co_await as_result(read_status(path));
  if (!status) co_return word_of(status.error().code);
  if (status->type == file_type::directory) co_return "a directory";
  file f = co_await file::open(std::move(path));
  co_return co_await text_in(f);
}

// In one line, so that cases can compare.
task<std::string> what_is_in(std::string path) {
  std::vector<std::string> names;
  directory d = co_await directory::open(std::move(path));
  for (;;) {
    std::vector<directory_entry> const some = co_await d.read_some();
    if (some.empty()) break;
    for (directory_entry const& e : some) {
      names.push_back(e.name + (e.type == file_type::directory ? "/" : ""));
    }
  }
  co_await d.close();
  std::sort(names.begin(), names.end());
  std::string line;
  for (std::string const& name : names) line += (line.empty() ? "" : " ") + name;
  co_return line;
}

}  // namespace

CONFORMANCE_TEST("rename: to a new name", "not there, text") {
  co_await make_file(at.path("a"), "text");
  co_await rename(at.path("a"), at.path("b"));
  std::string const old_name = co_await what_is(at.path("a"));
  std::string const new_name = co_await what_is(at.path("b"));
  co_return old_name + ", " + new_name;
}
CONFORMANCE_TEST("rename: over a file, which stays for whoever has it open", "text, replaced") {
  co_await make_file(at.path("a"), "text");
  co_await make_file(at.path("b"), "replaced");
  file open = co_await file::open(at.path("b"));
  co_await rename(at.path("a"), at.path("b"));
  std::string const now = co_await what_is(at.path("b"));
  std::string const before = co_await text_in(open);
  co_return now + ", " + before;
}
CONFORMANCE_TEST("rename: not over a file that shall not be replaced", "is there, kept") {
  co_await make_file(at.path("a"), "text");
  co_await make_file(at.path("b"), "kept");
  std::string const said = co_await said_by(rename(at.path("a"), at.path("b"), {.replace = false}));
  std::string const there = co_await what_is(at.path("b"));
  co_return said + ", " + there;
}
CONFORMANCE_TEST("rename: without replacing, and there is nothing", "text") {
  co_await make_file(at.path("a"), "text");
  co_await rename(at.path("a"), at.path("b"), {.replace = false});
  co_return co_await what_is(at.path("b"));
}
CONFORMANCE_TEST("rename: to itself", "ok, text") {
  co_await make_file(at.path("a"), "text");
  std::string const said = co_await said_by(rename(at.path("a"), at.path("a")));
  std::string const there = co_await what_is(at.path("a"));
  co_return said + ", " + there;
}
CONFORMANCE_TEST("rename: what is not there", "not there") {
  co_return co_await said_by(rename(at.path("a"), at.path("b")));
}
CONFORMANCE_TEST("rename: into a directory that is not there", "not there") {
  co_await make_file(at.path("a"), "text");
  co_return co_await said_by(rename(at.path("a"), at.path("d/a")));
}
CONFORMANCE_TEST("rename: into another directory", "text") {
  co_await make_file(at.path("a"), "text");
  co_await make_directory(at.path("d"));
  co_await rename(at.path("a"), at.path("d/b"));
  co_return co_await what_is(at.path("d/b"));
}
CONFORMANCE_TEST("rename: a directory with what is in it", "not there, text") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("d/a"), "text");
  co_await rename(at.path("d"), at.path("e"));
  std::string const old_name = co_await what_is(at.path("d/a"));
  std::string const new_name = co_await what_is(at.path("e/a"));
  co_return old_name + ", " + new_name;
}
CONFORMANCE_TEST("rename: a directory over an empty one", "text") {
  co_await make_directory(at.path("d"));
  co_await make_directory(at.path("e"));
  co_await make_file(at.path("d/a"), "text");
  co_await rename(at.path("d"), at.path("e"));
  co_return co_await what_is(at.path("e/a"));
}
CONFORMANCE_TEST("rename: a directory over one that is not empty", "not empty") {
  co_await make_directory(at.path("d"));
  co_await make_directory(at.path("e"));
  co_await make_file(at.path("e/a"), "text");
  co_return co_await said_by(rename(at.path("d"), at.path("e")));
}
CONFORMANCE_TEST("rename: a directory into itself", "invalid") {
  co_await make_directory(at.path("d"));
  co_return co_await said_by(rename(at.path("d"), at.path("d/e")));
}
CONFORMANCE_TEST("rename: a file over a directory, and back", "a directory, no directory") {
  co_await make_file(at.path("a"), "text");
  co_await make_directory(at.path("d"));
  std::string const over = co_await said_by(rename(at.path("a"), at.path("d")));
  std::string const under = co_await said_by(rename(at.path("d"), at.path("a")));
  co_return over + ", " + under;
}
CONFORMANCE_TEST("rename: cancelled before", "cancelled, text") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await cancelled_before(said_by(rename(at.path("a"), at.path("b"))));
  std::string const there = co_await what_is(at.path("a"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("rename: cancelled meanwhile", "cancelled, not there", "ok, text") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await cancelled_meanwhile(said_by(rename(at.path("a"), at.path("b"))));
  std::string const there = co_await what_is(at.path("b"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("rename: the deadline has passed", "timed out, text") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await past_its_deadline(said_by(rename(at.path("a"), at.path("b"))));
  std::string const there = co_await what_is(at.path("a"));
  co_return word + ", " + there;
}

CONFORMANCE_TEST("remove_file: it is gone, but for whoever has it open", "not there, text") {
  co_await make_file(at.path("a"), "text");
  file open = co_await file::open(at.path("a"));
  co_await remove_file(at.path("a"));
  std::string const there = co_await what_is(at.path("a"));
  std::string const before = co_await text_in(open);
  file_status const s = co_await open.read_status();
  co_return s.links == 0 ? there + ", " + before : "still linked";
}
CONFORMANCE_TEST("remove_file: what is not there", "not there") {
  co_return co_await said_by(remove_file(at.path("a")));
}
CONFORMANCE_TEST("remove_file: a directory", "a directory") {
  co_await make_directory(at.path("d"));
  co_return co_await said_by(remove_file(at.path("d")));
}
CONFORMANCE_TEST("remove_file: cancelled before", "cancelled, text") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await cancelled_before(said_by(remove_file(at.path("a"))));
  std::string const there = co_await what_is(at.path("a"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("remove_file: cancelled meanwhile", "cancelled, text", "ok, not there") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await cancelled_meanwhile(said_by(remove_file(at.path("a"))));
  std::string const there = co_await what_is(at.path("a"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("remove_file: the deadline has passed", "timed out, text") {
  co_await make_file(at.path("a"), "text");
  std::string const word = co_await past_its_deadline(said_by(remove_file(at.path("a"))));
  std::string const there = co_await what_is(at.path("a"));
  co_return word + ", " + there;
}

CONFORMANCE_TEST("remove_directory: an empty one", "ok, not there") {
  co_await make_directory(at.path("d"));
  std::string const said = co_await said_by(remove_directory(at.path("d")));
  std::string const there = co_await what_is(at.path("d"));
  co_return said + ", " + there;
}
CONFORMANCE_TEST("remove_directory: one with something in it", "not empty") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("d/a"), "text");
  co_return co_await said_by(remove_directory(at.path("d")));
}
CONFORMANCE_TEST("remove_directory: a file, and nothing", "no directory, not there") {
  co_await make_file(at.path("a"), "text");
  std::string const of_file = co_await said_by(remove_directory(at.path("a")));
  std::string const of_nothing = co_await said_by(remove_directory(at.path("b")));
  co_return of_file + ", " + of_nothing;
}
CONFORMANCE_TEST("remove_directory: cancelled before", "cancelled, a directory") {
  co_await make_directory(at.path("d"));
  std::string const word = co_await cancelled_before(said_by(remove_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("remove_directory: cancelled meanwhile", "cancelled, a directory", "ok, not there") {
  co_await make_directory(at.path("d"));
  std::string const word = co_await cancelled_meanwhile(said_by(remove_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("remove_directory: the deadline has passed", "timed out, a directory") {
  co_await make_directory(at.path("d"));
  std::string const word = co_await past_its_deadline(said_by(remove_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}

CONFORMANCE_TEST("make_directory: it is there, empty, with its permissions", "a directory, , 448") {
  co_await make_directory(at.path("d"), 0700);
  std::string const there = co_await what_is(at.path("d"));
  std::string const in_it = co_await what_is_in(at.path("d"));
  file_status const s = co_await read_status(at.path("d"));
  co_return there + ", " + in_it + ", " + std::to_string(s.permissions);
}
CONFORMANCE_TEST("make_directory: something is there", "is there, is there") {
  co_await make_file(at.path("a"), "text");
  co_await make_directory(at.path("d"));
  std::string const over_file = co_await said_by(make_directory(at.path("a")));
  std::string const again = co_await said_by(make_directory(at.path("d")));
  co_return over_file + ", " + again;
}
CONFORMANCE_TEST("make_directory: below nothing, and below a file", "not there, no directory") {
  co_await make_file(at.path("a"), "text");
  std::string const below_nothing = co_await said_by(make_directory(at.path("d/e")));
  std::string const below_file = co_await said_by(make_directory(at.path("a/e")));
  co_return below_nothing + ", " + below_file;
}
CONFORMANCE_TEST("make_directory: a name that is too long", "too long") {
  co_return co_await said_by(make_directory(at.path(std::string(256, 'd'))));
}
CONFORMANCE_TEST("make_directory: cancelled before", "cancelled, not there") {
  std::string const word = co_await cancelled_before(said_by(make_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("make_directory: cancelled meanwhile", "cancelled, not there", "ok, a directory") {
  std::string const word = co_await cancelled_meanwhile(said_by(make_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}
CONFORMANCE_TEST("make_directory: the deadline has passed", "timed out, not there") {
  std::string const word = co_await past_its_deadline(said_by(make_directory(at.path("d"))));
  std::string const there = co_await what_is(at.path("d"));
  co_return word + ", " + there;
}

CONFORMANCE_TEST("read_status: of nothing, below a file, of an empty path",
                 "not there, no directory, not there") {
  co_await make_file(at.path("a"), "text");
  std::string const nothing = co_await what_is(at.path("b"));
  std::string const below = co_await what_is(at.path("a/b"));
  std::string const empty = co_await what_is("");
  co_return nothing + ", " + below + ", " + empty;
}
CONFORMANCE_TEST("read_status: another path to the same file", "the same") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("a"), "text");
  file_status const one = co_await read_status(at.path("a"));
  file_status const other = co_await read_status(at.path("d/.././a"));
  co_return one.inode == other.inode && one.device == other.device ? "the same" : "another";
}
CONFORMANCE_TEST("read_status: cancelled before", "cancelled") {
  co_return co_await cancelled_before(what_is(at.path("a")));
}
CONFORMANCE_TEST("read_status: the deadline has passed", "timed out") {
  co_return co_await past_its_deadline(what_is(at.path("a")));
}

CONFORMANCE_TEST("directory open: nothing, and a file", "not there, no directory") {
  co_await make_file(at.path("a"), "text");
  auto const nothing = co_await as_result(directory::open(at.path("d")));
  auto const a_file = co_await as_result(directory::open(at.path("a")));
  co_return word_of(nothing.error().code) + ", " + word_of(a_file.error().code);
}
CONFORMANCE_TEST("directory open: cancelled before", "cancelled") {
  co_await make_directory(at.path("d"));
  co_return co_await cancelled_before(what_is_in(at.path("d")));
}
CONFORMANCE_TEST("directory read_some: all that is in it, with types", "a b c/") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("d/a"), "text");
  co_await make_file(at.path("d/b"), "");
  co_await make_directory(at.path("d/c"));
  co_await make_file(at.path("d/c/below"), "");
  co_return co_await what_is_in(at.path("d"));
}
CONFORMANCE_TEST("directory read_some: what was removed and renamed shows", "b") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("d/a"), "text");
  co_await make_file(at.path("d/c"), "text");
  co_await rename(at.path("d/a"), at.path("d/b"));
  co_await remove_file(at.path("d/c"));
  co_return co_await what_is_in(at.path("d"));
}
CONFORMANCE_TEST("directory read_some: after the close", "not open") {
  directory d = co_await directory::open(at.path("."));
  co_await d.close();
  auto const some = co_await as_result(d.read_some());
  co_return word_of(some.error().code);
}
CONFORMANCE_TEST("directory read_some: cancelled meanwhile, nothing is lost",
                 "cancelled, a", "a, nothing") {
  co_await make_directory(at.path("d"));
  co_await make_file(at.path("d/a"), "text");
  directory d = co_await directory::open(at.path("d"));
  auto const next = [&]() -> task<std::string> {
    std::vector<directory_entry> const some = co_await d.read_some();
    co_return some.empty() ? "nothing" : some.front().name;
  };
  std::string const first = co_await cancelled_meanwhile(next());
  std::string const second = co_await next();
  co_return first + ", " + second;
}
CONFORMANCE_TEST("directory sync: after a change", "ok") {
  directory d = co_await directory::open(at.path("."));
  co_await make_file(at.path("a"), "text");
  auto const synced = co_await as_result(d.sync());
  co_return synced ? "ok" : word_of(synced.error().code);
}
CONFORMANCE_TEST("file open: a directory", "readable, a directory") {
  co_await make_directory(at.path("d"));
  auto const reading = co_await as_result(file::open(at.path("d")));
  auto const writing = co_await as_result(file::open(at.path("d"), file_mode::read_write));
  std::string const read = reading ? "readable" : word_of(reading.error().code);
  co_return read + ", " + word_of(writing.error().code);
}
