// The least io_uring has to do for io.files: one thread, `n` files under way, each in three steps
// (open into the ring's own table, read, close), linked into one chain
// so that a file costs one trip to the kernel shared with all others.
#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <sys/uio.h>

#include "contenders/contenders.hpp"
#include "workloads/files.hpp"

namespace plait::lab {

namespace {

enum class step : std::uint64_t { open, read, close };

class reader {
 public:
  reader(file_corpus const& corpus, unsigned depth);
  ~reader() { ::io_uring_queue_exit(&ring_); }
  reader(reader const&) = delete;
  reader& operator=(reader const&) = delete;

  void read_all();

 private:
  io_uring_sqe* prepare(unsigned slot, step s);
  void start(unsigned slot);
  void finished(unsigned slot, step s, int result);

  file_corpus const& corpus_;
  unsigned depth_;
  io_uring ring_{};
  std::vector<std::byte> memory_;
  std::vector<std::size_t> file_of_;
  std::vector<int> bytes_of_;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
};

void check_result(int result, char const* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

reader::reader(file_corpus const& corpus, unsigned depth)
    : corpus_(corpus),
      depth_(depth),
      memory_(depth * file_corpus::file_bytes),
      file_of_(depth),
      bytes_of_(depth) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  check_result(::io_uring_queue_init_params(4 * depth, &ring_, &params), "io_uring_setup");
  check_result(::io_uring_register_files_sparse(&ring_, depth), "io_uring: file table");
  ::io_uring_register_ring_fd(&ring_);
}

io_uring_sqe* reader::prepare(unsigned slot, step s) {
  io_uring_sqe* const sqe = ::io_uring_get_sqe(&ring_);  // the queue holds depth chains
  sqe->user_data = slot * 4u + static_cast<std::uint64_t>(s);
  return sqe;
}

void reader::start(unsigned slot) {
  file_of_[slot] = next_++;
  // liburing 2.3's prep functions leave user_data alone.
  io_uring_sqe* sqe = prepare(slot, step::open);
  ::io_uring_prep_openat_direct(sqe, AT_FDCWD, corpus_.path(file_of_[slot]), O_RDONLY, 0, slot);
  sqe->flags |= IOSQE_IO_LINK;
  sqe = prepare(slot, step::read);
  ::io_uring_prep_read(sqe, static_cast<int>(slot), &memory_[slot * file_corpus::file_bytes],
                       file_corpus::file_bytes, 0);
  sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
  ::io_uring_prep_close_direct(prepare(slot, step::close), slot);
}

void reader::finished(unsigned slot, step s, int result) {
  switch (s) {
    case step::open:
      check_result(result, corpus_.path(file_of_[slot]));
      break;
    case step::read:
      check_result(result, corpus_.path(file_of_[slot]));
      bytes_of_[slot] = result;
      break;
    case step::close:
      check_result(result, "close");
      corpus_.check(file_of_[slot],
                    std::span(memory_).subspan(slot * file_corpus::file_bytes,
                                               static_cast<std::size_t>(bytes_of_[slot])));
      ++done_;
      if (next_ < file_corpus::files) start(slot);
      break;
  }
}

void reader::read_all() {
  next_ = 0;
  done_ = 0;
  for (unsigned slot = 0; slot < depth_; ++slot) start(slot);
  while (done_ < file_corpus::files) {
    check_result(::io_uring_submit_and_wait(&ring_, 1), "io_uring_enter");
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++seen;
      finished(static_cast<unsigned>(cqe->user_data / 4), static_cast<step>(cqe->user_data % 4),
               cqe->res);
    }
    ::io_uring_cq_advance(&ring_, seen);
  }
}

}  // namespace

rep_result uring_files(cell const& c) {
  return run_files(c, [](cell const& cell, file_corpus const& corpus) {
    static std::unique_ptr<reader> ring;
    if (!ring)
      ring = std::make_unique<reader>(
          corpus, static_cast<unsigned>(
                      std::min<std::size_t>(static_cast<std::size_t>(cell.n), file_corpus::files)));
    ring->read_all();
  });
}

}  // namespace plait::lab
