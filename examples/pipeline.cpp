// A pipeline: three tasks and the two channels between them. Each stage ends when what feeds it is closed
// and empty, and closes what it feeds. A channel that is full holds up whoever sends: so the first stage is
// never further ahead of the last than the channels have room.
#include <plait/plait.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using plait::channel;
using plait::task;

struct progress {
  int read = 0;
  int written = 0;
  int most_ahead = 0;
};

static task<> read_lines(channel<std::string>& lines, progress& so_far) {
  for (int i = 1; i <= 20; ++i) {
    co_await lines.send("line " + std::to_string(i));
    ++so_far.read;
    so_far.most_ahead = std::max(so_far.most_ahead, so_far.read - so_far.written);
  }
  lines.close();
}

static task<> measure(channel<std::string>& lines, channel<std::size_t>& lengths) {
  for (auto line = co_await lines.receive(); line; line = co_await lines.receive()) {
    co_await lengths.send(line->size());
  }
  lengths.close();
}

static task<std::size_t> sum_slowly(channel<std::size_t>& lengths, progress& so_far) {
  std::size_t sum = 0;
  for (auto length = co_await lengths.receive(); length; length = co_await lengths.receive()) {
    co_await plait::sleep_for(1ms);
    sum += *length;
    ++so_far.written;
  }
  co_return sum;
}

static task<> program() {
  auto lines = channel<std::string>::bounded(4, "lines");
  auto lengths = channel<std::size_t>::bounded(2, "lengths");
  progress so_far;
  auto const [sum, a, b] = co_await plait::when_all(sum_slowly(lengths, so_far), measure(lines, lengths),
                                                    read_lines(lines, so_far));
  std::printf("%d lines read, %d measured, %zu characters\n", so_far.read, so_far.written, sum);
  // Four in the first channel, two in the second, and one in the hands of each of the two stages.
  std::printf("the reader was at most %d lines ahead\n", so_far.most_ahead);
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
