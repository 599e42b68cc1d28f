#include <plait/io/pipe.hpp>

#include "io_driver.hpp"
#include "sys.hpp"

#include <cerrno>

namespace plait::io {
namespace {

void set_nonblocking(descriptor const& fd, bool wanted) {
  if (int const answer = sys_here().set_nonblocking(fd.get(), wanted); answer < 0) {
    throw_errno(answer, "pipe");
  }
}

}  // namespace

pipe_reader::pipe_reader(descriptor fd) : fd_(std::move(fd)) {
  set_nonblocking(fd_, io_driver::current().wants_nonblocking());
}

count_op pipe_reader::read_some(mutable_buffer into) noexcept {
  return count_op(lowerings::read_stream, fd(), into.data(), into.size());
}

count_op pipe_reader::read_exactly(mutable_buffer into) noexcept {
  count_op o = read_some(into);
  o.all = true;
  return o;
}

// Written by readiness on every driver.
pipe_writer::pipe_writer(descriptor fd) : fd_(std::move(fd)) { set_nonblocking(fd_, true); }

count_op pipe_writer::write_some(const_buffer from) noexcept {
  return count_op(lowerings::write_stream, fd(), const_cast<std::byte*>(from.data()), from.size());
}

count_op pipe_writer::write_all(const_buffer from) noexcept {
  count_op o = write_some(from);
  o.all = true;
  return o;
}

pipe_pair pipe_pair::open() {
  int ends[2];
  if (int const answer = sys_here().pipe(ends); answer < 0) throw_no_descriptor(answer, "pipe");
  descriptor reading(ends[0]);
  descriptor writing(ends[1]);
  return pipe_pair{pipe_reader(std::move(reading)), pipe_writer(std::move(writing))};
}

}  // namespace plait::io
