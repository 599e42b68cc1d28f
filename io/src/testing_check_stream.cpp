#include <plait/testing/check_stream.hpp>

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <array>
#include <system_error>
#include <vector>

namespace plait::testing::detail {
namespace {

// What a promise is checked with.
struct bench {
  checked_stream& a;
  checked_stream& b;
  check_stream_options const& options;

  sleep_operation pause() const noexcept { return sleep_for(options.pause); }
};

void expect(bool holds, std::string const& otherwise) {
  if (!holds) throw check_failed(otherwise);
}

void expect_count(std::size_t got, std::size_t wanted, char const* what) {
  expect(got == wanted,
         std::string(what) + " gave " + std::to_string(got) + ", not " + std::to_string(wanted));
}

// No byte equals its neighbours, and pieces that change places show.
char byte_at(std::size_t position) noexcept {
  return static_cast<char>(position * 31 + position / 251);
}

std::string pattern(std::size_t bytes, std::size_t from = 0) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = byte_at(from + i);
  return text;
}

void expect_pattern(std::string const& got, std::size_t bytes) {
  std::size_t right = 0;
  std::size_t const both = std::min(got.size(), bytes);
  while (right < both && got[right] == byte_at(right)) ++right;
  expect(right == got.size() && right == bytes,
         "of " + std::to_string(bytes) + " bytes written, " + std::to_string(got.size()) +
             " were read, and the first " + std::to_string(right) + " are right");
}

task<std::string> read_to_end(checked_stream& s, std::size_t at_once) {
  std::vector<char> buffer(at_once);
  std::string got;
  for (;;) {
    std::size_t const n = co_await s.read_some(buffer);
    expect(n <= at_once, "a read gave more bytes than its buffer has");
    if (n == 0) co_return got;
    got.append(buffer.data(), n);
  }
}

// What an operation fails with; none where it succeeds.
template <class T>
task<std::error_code> error_of(task<T> operation) {
  try {
    co_await std::move(operation);
  } catch (std::system_error const& e) {
    co_return e.code();
  }
  co_return std::error_code();
}

void expect_error(std::error_code got, std::error_code wanted, char const* what) {
  std::string const how = got ? " failed with \"" + got.message() + "\"" : " succeeded";
  expect(got == wanted, what + how + ", not with \"" + wanted.message() + "\"");
}

task<> write_pieces(checked_stream& s, std::size_t bytes) {
  for (std::size_t at = 0, size = 1; at < bytes; at += size, size = size * 3 % 4099) {
    size = std::min(size, bytes - at);
    std::size_t const n = co_await s.write_all(pattern(size, at));
    expect_count(n, size, "write_all");
  }
  s.shutdown_write();
}

task<> receive_pattern(checked_stream& s, std::size_t bytes, std::size_t at_once) {
  std::string const got = co_await read_to_end(s, at_once);
  expect_pattern(got, bytes);
}

task<> order(bench t) {
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(write_pieces, std::ref(t.a), 100'000u);
    g.spawn(write_pieces, std::ref(t.b), 70'001u);
    g.spawn(receive_pattern, std::ref(t.b), 100'000u, 1000u);
    g.spawn(receive_pattern, std::ref(t.a), 70'001u, 4096u);
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

task<> read_some_bounds(bench t) {
  co_await t.a.write_all("0123456789");
  std::string got;
  while (got.size() < 10) {
    std::array<char, 8> buffer;
    buffer.fill('#');
    std::size_t const n = co_await t.b.read_some({buffer.data(), 4});
    expect(n >= 1 && n <= 4, "a read into 4 bytes gave " + std::to_string(n));
    expect(std::all_of(buffer.begin() + 4, buffer.end(), [](char c) { return c == '#'; }),
           "a read wrote behind its buffer");
    got.append(buffer.data(), n);
  }
  expect(got == "0123456789", "the bytes differ");
}

task<> write_some_bounds(bench t) {
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(receive_pattern, std::ref(t.b), 10'000u, 700u);
    std::string const text = pattern(10'000);
    for (std::size_t at = 0; at < text.size();) {
      std::size_t const left = text.size() - at;
      std::size_t const n = co_await t.a.write_some({text.data() + at, left});
      expect(n >= 1 && n <= left, "a write of " + std::to_string(left) + " gave " + std::to_string(n));
      at += n;
    }
    t.a.shutdown_write();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

task<> exactly(bench t) {
  auto const write = [&]() -> task<> {
    for (std::size_t at = 0; at < 3000; at += 1000) {
      co_await t.a.write_all(pattern(1000, at));
      co_await t.pause();
    }
  };
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(write);
    std::string whole(3000, '\0');
    std::size_t const n = co_await t.b.read_exactly(whole);
    expect_count(n, 3000, "read_exactly");
    expect_pattern(whole, 3000);
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

task<> empty(bench t) {
  char byte = 0;
  std::size_t const read = co_await t.b.read_some({&byte, 0});
  expect_count(read, 0, "a read into an empty buffer");
  std::size_t const written = co_await t.a.write_some({&byte, 0});
  expect_count(written, 0, "a write of nothing");
  co_await t.a.write_all("x");
  std::size_t const next = co_await t.b.read_some({&byte, 1});
  expect_count(next, 1, "the read after a write of nothing");
}

task<> end_of_stream(bench t) {
  co_await t.a.write_all("end");
  t.a.shutdown_write();
  std::string const got = co_await read_to_end(t.b, 8);
  expect(got == "end", "not all that was written before the shutdown was read");
  std::array<char, 1> byte;
  std::size_t const again = co_await t.b.read_some(byte);
  expect_count(again, 0, "a second read at the end");
}

task<> half_close(bench t) {
  t.a.shutdown_write();
  std::string const nothing = co_await read_to_end(t.b, 8);
  expect(nothing.empty(), "bytes came that nobody had written");
  std::string got;
  auto const read = [&]() -> task<> { got = co_await read_to_end(t.a, 8); };
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(read);
    co_await t.pause();
    co_await t.b.write_all("answer");
    t.b.shutdown_write();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
  expect(got == "answer", "\"" + got + "\" was read, not \"answer\"");
}

task<> write_after_shutdown(bench t) {
  t.a.shutdown_write();
  std::error_code const got = co_await error_of(t.a.write_all("late"));
  expect_error(got, std::make_error_code(std::errc::broken_pipe), "the write");
}

task<> truncated(bench t) {
  co_await t.a.write_all("abc");
  t.a.shutdown_write();
  std::array<char, 5> buffer;
  try {
    co_await t.b.read_exactly(buffer);
  } catch (io::io_error const& e) {
    expect_error(e.code(), io::errc::end_of_file, "read_exactly");
    expect_count(e.transferred(), 3, "transferred()");
    co_return;
  }
  expect(false, "read_exactly succeeded");
}

task<> read_one(checked_stream& s) {
  std::array<char, 1> byte;
  std::size_t const n = co_await s.read_some(byte);
  expect_count(n, 1, "the first reader's read");
  expect(byte[0] == '1', "the first reader got another byte");
}

task<> second_reader(bench t) {
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(read_one, std::ref(t.b));
    co_await t.pause();
    std::array<char, 1> byte;
    std::error_code const got = co_await error_of(t.b.read_some(byte));
    expect_error(got, io::errc::busy, "the second read");
    co_await t.a.write_all("1");
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

// Writes what the buffers never take, so that it waits until it is cancelled.
task<> fill(checked_stream& s, std::size_t bytes, std::error_code& failure) {
  failure = co_await error_of(s.write_all(pattern(bytes)));
}

task<> second_writer(bench t) {
  std::error_code ignored;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(fill, std::ref(t.a), t.options.beyond_buffers, std::ref(ignored));
    co_await t.pause();
    std::error_code const got = co_await error_of(t.a.write_some("2"));
    expect_error(got, io::errc::busy, "the second write");
    g.cancel();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

task<> write_after(checked_stream& s, int yields) {
  for (int i = 0; i < yields; ++i) co_await yield();
  co_await s.write_all("12345678");
  s.shutdown_write();
}

// Where to cancel a scope, while there is one.
class shown_scope {
 public:
  shown_scope(cancel_scope*& at, cancel_scope& scope) noexcept : at_(at) { at_ = &scope; }
  ~shown_scope() { at_ = nullptr; }
  shown_scope(shown_scope const&) = delete;
  shown_scope& operator=(shown_scope const&) = delete;

 private:
  cancel_scope*& at_;
};

task<> read_for_a_while(checked_stream& s, cancel_scope*& scope, std::string& got) {
  auto const body = [&](cancel_scope& own) -> task<> {
    shown_scope const shown(scope, own);
    std::array<char, 4> buffer;
    std::size_t const n = co_await s.read_some(buffer);
    got.append(buffer.data(), n);
  };
  co_await with_cancel_scope(std::ref(body));
}

task<> cancelled_read(bench t, int yields_to_write, int yields_to_cancel) {
  std::string got;
  cancel_scope* scope = nullptr;
  auto const body = [&](task_group& g) -> task<> {
    auto const reading = g.spawn(read_for_a_while, std::ref(t.b), std::ref(scope), std::ref(got));
    g.spawn(write_after, std::ref(t.a), yields_to_write);
    for (int i = 0; i <= yields_to_cancel; ++i) co_await yield();
    if (scope != nullptr) scope->cancel();
    co_await reading;
    std::string const rest = co_await read_to_end(t.b, 4);
    got += rest;
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
  expect(got == "12345678", "\"" + got + "\" was read of \"12345678\"");
}

task<> cancelled_read_first(bench t) { return cancelled_read(t, 8, 2); }
task<> cancelled_read_together(bench t) { return cancelled_read(t, 1, 1); }
task<> cancelled_read_last(bench t) { return cancelled_read(t, 0, 4); }

task<> write_until_cancelled(checked_stream& s, cancel_scope*& scope, std::size_t& written) {
  auto const body = [&](cancel_scope& own) -> task<> {
    shown_scope const shown(scope, own);
    for (;;) {
      std::size_t const n = co_await s.write_some(pattern(5000, written));
      written += n;
    }
  };
  co_await with_cancel_scope(std::ref(body));
}

task<> cancelled_write(bench t, bool full) {
  std::size_t written = 0;
  cancel_scope* scope = nullptr;
  auto const body = [&](task_group& g) -> task<> {
    auto const writing =
        g.spawn(write_until_cancelled, std::ref(t.a), std::ref(scope), std::ref(written));
    if (full) {
      co_await t.pause();
    } else {
      for (int i = 0; i < 3; ++i) co_await yield();
    }
    if (scope != nullptr) scope->cancel();
    co_await writing;
    t.a.shutdown_write();
    std::string const got = co_await read_to_end(t.b, 65536);
    expect_pattern(got, written);
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
}

task<> cancelled_write_full(bench t) { return cancelled_write(t, true); }
task<> cancelled_write_early(bench t) { return cancelled_write(t, false); }

task<> fail_to_read(checked_stream& s, std::error_code& failure) {
  std::array<char, 1> byte;
  failure = co_await error_of(s.read_some(byte));
}

task<> close_ends_reader(bench t) {
  std::error_code failure;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(fail_to_read, std::ref(t.b), std::ref(failure));
    co_await t.pause();
    co_await t.b.close();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
  expect_error(failure, io::errc::closed, "the read");
}

task<> close_ends_writer(bench t) {
  std::error_code failure;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(fill, std::ref(t.a), t.options.beyond_buffers, std::ref(failure));
    co_await t.pause();
    co_await t.a.close();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
  expect_error(failure, io::errc::closed, "the write");
}

task<> after_close(bench t) {
  co_await t.a.close();
  co_await t.a.close();
  std::array<char, 1> byte;
  std::error_code const read = co_await error_of(t.a.read_some(byte));
  expect(static_cast<bool>(read), "a read succeeded");
  std::error_code const written = co_await error_of(t.a.write_all("x"));
  expect(static_cast<bool>(written), "a write succeeded");
}

task<> peer_closes(bench t) {
  std::string got;
  auto const read = [&]() -> task<> { got = co_await read_to_end(t.b, 2); };
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(read);
    co_await t.a.write_all("bye");
    co_await t.pause();
    co_await t.a.close();
    co_await g.join();
  };
  co_await with_task_group(std::ref(body));
  expect(got == "bye", "\"" + got + "\" was read, not \"bye\"");
}

// A kernel takes some of it before it has heard of the close.
task<> write_to_closed_peer(bench t) {
  co_await t.b.close();
  std::error_code got;
  while (!got) {
    got = co_await error_of(t.a.write_some("x"));
    co_await t.pause();
  }
  expect(got == std::errc::broken_pipe || got == std::errc::connection_reset,
         "the write failed with \"" + got.message() + "\"");
}

struct promise {
  char const* text;
  task<> (*check)(bench);
};

constexpr promise promises[] = {
    {"bytes arrive once and in order, both ways at once", order},
    {"read_some gives one byte at least, and its buffer's size at most", read_some_bounds},
    {"write_some takes one byte at least, and all at most", write_some_bounds},
    {"read_exactly fills its buffer", exactly},
    {"empty buffers are done at once and mean nothing", empty},
    {"after a shutdown the peer reads what was written before, then 0, and 0 again", end_of_stream},
    {"a stream that has shut down its writing goes on reading", half_close},
    {"a write after a shutdown fails with broken_pipe", write_after_shutdown},
    {"read_exactly fails with errc::end_of_file where the stream ends before", truncated},
    {"a second reader gets errc::busy, and the first goes on", second_reader},
    {"a second writer gets errc::busy", second_writer},
    {"a read that is cancelled loses nothing", cancelled_read_first},
    {"a read that is cancelled as bytes arrive loses nothing", cancelled_read_together},
    {"a read that is cancelled after bytes have arrived loses nothing", cancelled_read_last},
    {"a write that is cancelled has written nothing", cancelled_write_full},
    {"a write that is cancelled while there is room has written nothing", cancelled_write_early},
    {"close ends a waiting read with errc::closed", close_ends_reader},
    {"close ends a waiting write with errc::closed", close_ends_writer},
    {"a closed stream refuses to read and to write, and may be closed again", after_close},
    {"when the peer closes, a waiting read gets what was written, then 0", peer_closes},
    {"a write to a peer that has closed fails with broken_pipe or connection_reset",
     write_to_closed_peer},
};

task<> keep(promise const& p, checked_pair const& streams, check_stream_options const& options) {
  std::string broken;
  bench const at{*streams.a, *streams.b, options};
  try {
    bool const ended = co_await move_on_after(options.patience, p.check, at);
    if (!ended) broken = "it does not end";
  } catch (std::exception const& e) {
    broken = e.what();
  }
  if (broken.empty()) co_return;
  throw check_failed("a promise is broken: " + std::string(p.text) + ": " + broken);
}

}  // namespace

task<> check_streams(std::function<task<checked_pair>()> const& make, check_stream_options options) {
  for (promise const& p : promises) {
    checked_pair const streams = co_await make();
    co_await keep(p, streams, options);
  }
}

}  // namespace plait::testing::detail
