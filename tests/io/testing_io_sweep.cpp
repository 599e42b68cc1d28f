// Scenarios with I/O go wrong at every await, in each way, at every frame or allocation, and at
// every operation that is handed to the driver. Those over streams in memory run on a manual
// scheduler, where every allocation may fail; the others in simulation.
#include <plait/testing/io_sweep.hpp>

#include "support/allocate.hpp"
#include "support/count_runs.hpp"

#include <plait/cancel.hpp>
#include <plait/finally.hpp>
#include <plait/io/file.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/script.hpp>
#include <plait/testing/stream_pair.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace plait::testing;
using plait::cancel_scope;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::as_result;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::io::shutdown_direction;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::count_runs;

namespace {

void require(bool holds, char const* what) {
  if (!holds) throw std::logic_error(what);
}

std::string text_of(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

using tcp_pair = std::pair<tcp_stream, tcp_stream>;

task<tcp_pair> connected() {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  tcp_stream client = co_await tcp_stream::connect(address::loopback(7000));
  tcp_stream server = co_await listener.accept();
  co_return tcp_pair(std::move(client), std::move(server));
}

template <class Stream>
task<> send(Stream& to, std::string const& text) {
  co_await to.write_all(text);
  to.shutdown(shutdown_direction::write);
}

template <class Stream>
task<> receive(Stream& from, std::string const& text) {
  std::string got;
  for (;;) {
    std::array<char, 900> buffer;
    std::size_t const n = co_await from.read_some(buffer);
    if (n == 0) break;
    got.append(buffer.data(), n);
  }
  require(got == text, "the bytes differ");
}

template <class Stream>
task<> echo(Stream& peer) {
  for (;;) {
    std::array<char, 300> buffer;
    std::size_t const n = co_await peer.read_some(buffer);
    if (n == 0) break;
    co_await peer.write_all({buffer.data(), n});
  }
  peer.shutdown(shutdown_direction::write);
}

template <class Stream>
task<> ask(Stream& server, std::string const& text) {
  co_await plait::when_all(send(server, text), receive(server, text));
}

// Fails where the read did otherwise than to time out.
template <class Result>
void require_timeout(Result const& got) {
  require(!got, "bytes came that nobody had written");
  if (got.error().code != std::errc::timed_out) throw io_error(got.error());
}

// --- TCP ---

task<> connects() {
  tcp_pair const streams = co_await connected();
  require(streams.first.is_open() && streams.second.is_open(), "they are not open");
}

task<> closes() {
  tcp_pair streams = co_await connected();
  co_await streams.first.close();
  co_await receive(streams.second, "");
  co_await streams.second.close();
}

task<> echoes() {
  tcp_pair streams = co_await connected();
  std::string const text = text_of(500);
  co_await plait::when_all(ask(streams.first, text), echo(streams.second));
}

task<> transfers() {
  tcp_pair streams = co_await connected();
  std::string const text = text_of(20'000);
  co_await plait::when_all(send(streams.first, text), receive(streams.second, text));
}

task<> transfers_both_ways() {
  tcp_pair streams = co_await connected();
  std::string const text = text_of(3000);
  co_await plait::when_all(ask(streams.first, text), ask(streams.second, text));
}

task<> answers_after_half_close() {
  tcp_pair streams = co_await connected();
  co_await send(streams.first, "question");
  co_await receive(streams.second, "question");
  co_await send(streams.second, "answer");
  co_await receive(streams.first, "answer");
}

task<> times_out_reading() {
  tcp_pair streams = co_await connected();
  std::array<char, 8> buffer;
  auto const got = co_await as_result(plait::with_timeout(1ms, streams.first.read_some(buffer)));
  require_timeout(got);
}

task<> times_out_writing() {
  tcp_pair streams = co_await connected();
  std::string const text = text_of(70'000);
  auto const got = co_await as_result(plait::with_timeout(50ms, streams.first.write_all(text)));
  require_timeout(got);
}

task<> gives_up_accepting() {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  auto const accept = [&]() -> task<> {
    tcp_stream const peer = co_await listener.accept();
    require(false, "somebody connected");
  };
  co_await plait::move_on_after(1ms, std::ref(accept));
}

task<> is_refused() {
  try {
    tcp_stream const none = co_await tcp_stream::connect(address::loopback(7001));
  } catch (io_error const&) {
    co_return;
  }
  require(false, "it was connected");
}

task<> closes_under_a_reader() {
  tcp_pair streams = co_await connected();
  auto const read = [&]() -> task<> {
    std::array<char, 8> buffer;
    auto const got = co_await as_result(streams.first.read_some(buffer));
    require(!got, "bytes came that nobody had written");
  };
  auto const close = [&]() -> task<> {
    co_await plait::sleep_for(1ms);
    co_await streams.first.close();
  };
  co_await plait::when_all(read(), close());
}

task<> closes_a_listener() {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  auto const accept = [&]() -> task<> {
    try {
      tcp_stream const peer = co_await listener.accept();
      require(false, "somebody connected");
    } catch (io_error const&) {
    }
  };
  auto const close = [&]() -> task<> {
    co_await plait::sleep_for(1ms);
    listener.close();
  };
  co_await plait::when_all(accept(), close());
}

task<> resets() {
  tcp_pair streams = co_await connected();
  streams.first.abort();
  std::array<char, 8> buffer;
  auto const got = co_await as_result(streams.second.read_some(buffer));
  require(!got, "a reset was taken for an end");
}

task<> reads_the_first_of_two() {
  tcp_pair one = co_await connected();
  tcp_pair two = co_await connected();
  std::array<char, 8> here;
  std::array<char, 8> there;
  co_await one.first.write_all("1");
  auto const got =
      co_await plait::when_any(one.second.read_some(here), two.second.read_some(there));
  require(got.index == 0, "bytes came that nobody had written");
  co_await two.first.write_all("2");
  std::size_t const n = co_await two.second.read_some(there);
  require(n == 1 && there[0] == '2', "the loser has lost a byte");
}

task<> closes_in_a_cleanup() {
  tcp_pair streams = co_await connected();
  auto const body = [&] { return transfers_both_ways(); };
  auto const cleanup = [&]() -> task<> {
    co_await streams.first.close();
    co_await streams.second.close();
  };
  co_await plait::finally(std::ref(body), std::ref(cleanup));
}

task<> writes_in_a_shield() {
  tcp_pair streams = co_await connected();
  auto const write = [&]() -> task<> { co_await streams.first.write_all("all of it"); };
  co_await plait::shield(std::ref(write));
  std::string got(9, '\0');
  co_await streams.second.read_exactly(got);
  require(got == "all of it", "the bytes differ");
}

// --- services ---

task<> session(tcp_stream peer) { co_await echo(peer); }

// Its session may have ended by what the sweep has put there.
task<> client(std::string const& text) {
  try {
    tcp_stream server = co_await tcp_stream::connect(address::loopback(7000));
    co_await server.write_all(text);
    server.shutdown(shutdown_direction::write);
    std::string got(text.size(), '\0');
    co_await server.read_exactly(got);
    require(got == text, "the bytes differ");
  } catch (io_error const&) {
  }
}

task<> served(int clients, task<> (*each)(tcp_stream)) {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  std::string const text = text_of(400);
  cancel_scope* service = nullptr;
  auto const serve_it = [&](cancel_scope& scope) -> task<> {
    service = &scope;
    plait::io::serve_options const options{.on_failure = [](std::exception_ptr) {}};
    try {
      co_await plait::io::serve(listener, options, each);
    } catch (...) {
      service = nullptr;
      throw;
    }
  };
  auto const service_task = [&]() -> task<> {
    co_await plait::with_cancel_scope(std::ref(serve_it));
  };
  auto const body = [&](task_group& g) -> task<> {
    auto const running = g.spawn(service_task);
    co_await plait::yield();
    for (int i = 0; i < clients; ++i) co_await client(text);
    if (service != nullptr) service->cancel();
    co_await g.join();
  };
  co_await plait::with_task_group(std::ref(body));
}

task<> serves() { return served(2, session); }

task<> serves_with_failures() {
  return served(2, [](tcp_stream) -> task<> {
    co_await plait::yield();
    throw io_error({std::make_error_code(std::errc::protocol_error), 0, "session"});
  });
}

// --- files ---

task<> writes_and_reads_a_file() {
  std::string const text = text_of(2000);
  file written = co_await file::open("data", file_mode::create_new);
  co_await written.write_at(0, text);
  co_await written.close();
  file read = co_await file::open("data");
  std::string got(text.size(), '\0');
  for (std::size_t at = 0; at < got.size();) {
    std::size_t const n = co_await read.read_at(at, {got.data() + at, got.size() - at});
    require(n != 0, "the file is too short");
    at += n;
  }
  require(got == text, "the bytes differ");
}

task<> writes_a_file_by_several() {
  file data = co_await file::open("data", file_mode::create_new);
  auto const write = [&](std::uint64_t at, std::string text) -> task<> {
    co_await data.write_at(at, text);
  };
  co_await plait::when_all(write(0, "abc"), write(3, "def"), write(6, "ghi"));
  require(data.size() == 9, "the file has another size");
  co_await data.close();
}

task<> finds_no_file() {
  auto const got = co_await as_result(file::open("missing"));
  require(!got, "a file was there that nobody had made");
}

task<> sends_a_file() {
  std::string const text = text_of(3000);
  file data = co_await file::open("data", file_mode::create_new);
  co_await data.write_at(0, text);
  tcp_pair streams = co_await connected();
  auto const copy = [&]() -> task<> {
    for (std::uint64_t at = 0;;) {
      std::array<char, 512> buffer;
      std::size_t const n = co_await data.read_at(at, buffer);
      if (n == 0) break;
      co_await streams.first.write_all({buffer.data(), n});
      at += n;
    }
    streams.first.shutdown(shutdown_direction::write);
  };
  co_await plait::when_all(copy(), receive(streams.second, text));
}

// --- streams in memory ---

task<> echoes_in_memory(stream_pair_options options) {
  auto [here, there] = stream_pair(options);
  std::string const text = text_of(300);
  co_await plait::when_all(ask(here, text), echo(there));
}

task<> echoes_at_once() { return echoes_in_memory({}); }
task<> echoes_in_pieces() {
  return echoes_in_memory({.split_seed = 1, .capacity = 100, .latency = 1ms});
}

task<> loses_the_connection() {
  auto [here, there] = stream_pair({.lose_after = 100});
  std::string const text = text_of(300);
  std::string got(300, '\0');
  auto const written = co_await as_result(here.write_all(text));
  require(!written, "all was written to a connection that is lost");
  auto const read = co_await as_result(plait::with_timeout(1s, there.read_exactly(got)));
  require(!read, "all was read from a connection that is lost");
}

task<> plays_a_script() {
  auto [here, there] = stream_pair();
  script const peer = script().expect("question").wait(1ms).reply("answer").then_eof();
  auto const talk = [&]() -> task<> {
    co_await here.write_all("question");
    co_await receive(here, "answer");
  };
  co_await plait::when_all(peer.play(there), talk());
}

task<> closes_in_memory() {
  auto [here, there] = stream_pair();
  auto const read = [&]() -> task<> {
    std::array<char, 8> buffer;
    auto const got = co_await as_result(here.read_some(buffer));
    require(!got, "bytes came that nobody had written");
  };
  auto const close = [&]() -> task<> {
    co_await plait::yield();
    co_await here.close();
  };
  co_await plait::when_all(read(), close());
}

task<> times_out_in_memory() {
  auto [here, there] = stream_pair({.latency = 5ms});
  co_await there.write_all("late");
  std::array<char, 8> buffer;
  auto const early = co_await as_result(plait::with_timeout(2ms, here.read_some(buffer)));
  require_timeout(early);
  std::size_t const n = co_await here.read_some(buffer);
  require(n == 4, "the read that timed out has taken bytes");
}

std::vector<scenario> simulated_scenarios() {
  std::vector<scenario> all = {
      {.name = "connects", .body = connects},
      {.name = "closes", .body = closes},
      {.name = "echoes", .body = echoes},
      {.name = "transfers", .body = transfers},
      {.name = "transfers both ways", .body = transfers_both_ways},
      {.name = "answers after half close", .body = answers_after_half_close},
      {.name = "times out reading", .body = times_out_reading},
      {.name = "times out writing", .body = times_out_writing},
      {.name = "gives up accepting", .body = gives_up_accepting},
      {.name = "is refused", .body = is_refused, .handles_errors = true},
      {.name = "closes under a reader", .body = closes_under_a_reader, .handles_errors = true},
      {.name = "closes a listener", .body = closes_a_listener, .handles_errors = true},
      {.name = "resets", .body = resets, .handles_errors = true},
      {.name = "reads the first of two", .body = reads_the_first_of_two},
      {.name = "closes in a cleanup", .body = closes_in_a_cleanup},
      {.name = "writes in a shield", .body = writes_in_a_shield},
      {.name = "serves", .body = serves, .handles_errors = true},
      {.name = "serves with failures", .body = serves_with_failures, .handles_errors = true},
      {.name = "writes and reads a file", .body = writes_and_reads_a_file},
      {.name = "writes a file by several", .body = writes_a_file_by_several},
      {.name = "finds no file", .body = finds_no_file, .handles_errors = true},
      {.name = "sends a file", .body = sends_a_file},
  };
  std::vector<scenario> with_seeds;
  for (std::uint64_t const seed : {1, 2, 3}) {
    for (scenario const& s : all) {
      with_seeds.push_back(in_simulation(s, {.seed = seed, .window_bytes_max = 4096}));
      with_seeds.back().name += " with seed " + std::to_string(seed);
    }
  }
  return with_seeds;
}

std::vector<scenario> memory_scenarios() {
  return {
      {.name = "echoes at once", .body = echoes_at_once},
      {.name = "echoes in pieces", .body = echoes_in_pieces},
      {.name = "loses the connection", .body = loses_the_connection, .handles_errors = true},
      {.name = "plays a script", .body = plays_a_script, .handles_errors = true},
      {.name = "closes in memory", .body = closes_in_memory, .handles_errors = true},
      {.name = "times out in memory", .body = times_out_in_memory},
  };
}

std::vector<scenario> all_scenarios() {
  std::vector<scenario> all = simulated_scenarios();
  for (scenario& s : memory_scenarios()) all.push_back(std::move(s));
  return all;
}

long sweep_awaits(await_action action) {
  return count_runs("await sweep runs", all_scenarios(),
               [action](scenario const& s) { return for_each_await(s, action); });
}

}  // namespace

TEST_CASE(
    "io sweep: it notices a failure that is lost, a run that is stuck, and a descriptor left") {
  auto const swallows = []() -> task<> {
    auto [here, there] = stream_pair();
    auto const written = co_await as_result(here.write_all("x"));
    static_cast<void>(written);
  };
  auto const broken = [](scenario s) {
    return for_each_driver_call(s, std::errc::io_error).broken;
  };
  std::string const lost = broken({.name = "swallows", .body = swallows});
  CHECK(lost.find("the failure was lost") != std::string::npos);
  auto const waits = []() -> task<> {
    auto [here, there] = stream_pair();
    auto const written = co_await as_result(here.write_all("x"));
    if (!written) co_await plait::sleep_forever();
  };
  std::string const stuck = broken(in_simulation({.name = "waits", .body = waits}));
  CHECK(stuck.find("another exception came out: nothing can happen any more") != std::string::npos);
  auto const leaves = []() -> task<> {
    plait::scheduler::current().sys().socket(AF_INET, SOCK_STREAM);
    co_await plait::yield();
  };
  scenario const leaking = in_simulation({.name = "leaves", .body = leaves});
  std::string const left = for_each_await(leaking, await_action::cancel).broken;
  CHECK(left.find("1 simulated descriptors left") != std::string::npos);
}

TEST_CASE("io sweep: every scenario is cancelled at every await") {
  CHECK(sweep_awaits(await_action::cancel) >= 500);
}

TEST_CASE("io sweep: every scenario is cancelled while it is suspended at every await") {
  CHECK(sweep_awaits(await_action::cancel_suspended) >= 500);
}

TEST_CASE("io sweep: every scenario's deadline passes at every await") {
  CHECK(sweep_awaits(await_action::timeout) >= 500);
}

TEST_CASE("io sweep: every await of every scenario throws an error") {
  CHECK(sweep_awaits(await_action::exception) >= 500);
}

TEST_CASE("io sweep: every await of every scenario throws bad_alloc") {
  CHECK(sweep_awaits(await_action::bad_alloc) >= 500);
}

TEST_CASE("io sweep: every operation that a scenario hands to the driver fails") {
  for (std::errc const e : {std::errc::connection_reset, std::errc::io_error}) {
    auto const each = [e](scenario const& s) { return for_each_driver_call(s, e); };
    CHECK(count_runs("driver call sweep runs", all_scenarios(), each) >= 400);
  }
}

TEST_CASE("io sweep: every operation finds the kernel out of memory, and an accept comes again") {
  auto const each = [](scenario s) {
    s.handles_errors = true;
    return for_each_driver_call(s, std::errc::no_buffer_space);
  };
  CHECK(count_runs("driver call sweep runs", all_scenarios(), each) >= 400);
}

TEST_CASE("io sweep: every scenario's process is killed at every await") {
  auto const each = [](scenario const& s) { return for_each_kill(s, {.window_bytes_max = 4096}); };
  CHECK(count_runs("kill sweep runs", simulated_scenarios(), each) >= 400);
}

TEST_CASE("io sweep: a process that fails by itself, and a check that does after a kill, are noticed") {
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::runtime_error("on purpose");
  };
  std::string const failed = for_each_kill({.name = "fails", .body = fails}).broken;
  CHECK_THAT(failed, Catch::Contains("in run fails/kill/2: another exception came out: on purpose"));
  auto const checked = [](run_report const& r) {
    if (r.how == run_report::end::cancelled) throw std::logic_error("it was told");
  };
  auto const twice = []() -> task<> { co_await plait::yield(); };
  std::string const told = for_each_kill({.name = "checks", .body = twice, .check = checked}).broken;
  CHECK_THAT(told, Catch::Contains("in run checks/kill/1:") && Catch::Contains("it was told"));
}

TEST_CASE("io sweep: every frame of every scenario in simulation finds no memory") {
  long const runs = count_runs("allocation sweep runs", simulated_scenarios(), for_each_frame);
  CHECK(runs >= (PLAIT_ASSERTIONS ? 100 : 0));  // without assertions frames do not fail
}

TEST_CASE("io sweep: every allocation of every scenario in memory fails") {
  CHECK(count_runs("allocation sweep runs", memory_scenarios(), for_each_allocation) >=
        (PLAIT_TEST_OPERATOR_NEW ? 15 : 0));
}
