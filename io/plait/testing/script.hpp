// A peer that plays a script: what it waits to hear, what it answers, and how it ends.
//
//     script const server = script().expect("PING\n").wait(5ms).reply("PONG\n").then_eof();
//     group.spawn(server, std::ref(stream));   // or: co_await server.play(stream);
//
// Over any stream: a memory_stream, a socket, one of your own. It reads no byte more than its steps
// name. Throws script_failed, with what was expected and what came, where the peer does otherwise;
// cancelling ends it between two steps or in one. `wait` is on the driver's clock. The script must
// outlive what it plays, which spawn sees to.
#pragma once

#include <plait/clock.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace plait::testing {

class script_failed : public std::runtime_error {
 public:
  explicit script_failed(std::string const& why) : std::runtime_error(why) {}
};

class script {
 public:
  script() = default;

  script& expect(std::string text);        // these bytes come next
  script& expect_until(std::string text);  // any bytes, up to and with these
  script& expect_eof();                    // the peer has ended its writing
  script& reply(std::string text);
  script& wait(duration d);
  script& then_eof();    // ends the writing; reading goes on
  script& then_reset();  // the stream has abort(), as tcp_stream and memory_stream have

  template <class Stream>
  task<> play(Stream& stream) const;

  // For spawn: with a reference, or a stream that ends with the script.
  template <class Stream>
  task<> operator()(std::reference_wrapper<Stream> stream) const {
    return play(stream.get());
  }
  template <class Stream>
  task<> operator()(Stream stream) const {
    co_await play(stream);
  }

 private:
  enum class kind : std::uint8_t { expect, expect_until, expect_eof, reply, wait, eof, reset };
  struct step {
    kind what;
    std::string text;
    duration time{};
  };

  template <class Stream>
  task<> play_step(Stream& stream, step const& s) const;
  template <class Stream>
  static task<std::string> hear(Stream& stream, step const& s);

  // How many more bytes may be read for this step; 0: it is through, or has failed.
  static std::size_t wanted(step const& s, std::string_view got) noexcept;
  [[noreturn]] void fail(step const& s, std::string const& why) const;
  void judge(step const& s, std::string_view got) const;  // throws where it is not what was expected

  std::vector<step> steps_;
};

template <class Stream>
task<std::string> script::hear(Stream& stream, step const& s) {
  std::string got;
  for (std::size_t more = wanted(s, got); more != 0; more = wanted(s, got)) {
    char buffer[256];
    std::size_t const at_most = std::min(more, sizeof buffer);
    std::size_t const n = co_await stream.read_some(io::mutable_buffer(buffer, at_most));
    if (n == 0) break;
    got.append(buffer, n);
  }
  co_return got;
}

template <class Stream>
task<> script::play_step(Stream& stream, step const& s) const {
  switch (s.what) {
    case kind::expect:
    case kind::expect_until:
    case kind::expect_eof: {
      std::string const got = co_await hear(stream, s);
      judge(s, got);
      break;
    }
    case kind::reply:
      co_await stream.write_all(io::const_buffer(s.text.data(), s.text.size()));
      break;
    case kind::wait:
      co_await sleep_for(s.time);
      break;
    case kind::eof:
      stream.shutdown(io::shutdown_direction::write);
      break;
    case kind::reset:
      if constexpr (requires { stream.abort(); }) {
        stream.abort();
      } else {
        fail(s, "this stream has no abort()");
      }
      break;
  }
}

template <class Stream>
task<> script::play(Stream& stream) const {
  for (step const& s : steps_) {
    try {
      co_await play_step(stream, s);
    } catch (std::system_error const& e) {
      fail(s, e.what());
    }
  }
}

}  // namespace plait::testing
