#include <catch2/catch.hpp>

#include <cstdlib>
#include <csignal>
#include <fstream>
#include <numeric>

#include <unistd.h>

#include "doctor/ladder.hpp"
#include "workloads/files.hpp"
#include "workloads/heartbeat.hpp"
#include "workloads/primes.hpp"
#include "workloads/sha256.hpp"
#include "workloads/units.hpp"

using namespace plait::lab;
using Catch::Matchers::Contains;

TEST_CASE("primes: trial division and sieve agree, and a wrong answer is loud") {
  CHECK(count_primes(0, 100) == 25);
  CHECK(count_primes(100, 900) == 143);
  primes_key const key(2);
  std::vector<int> answers{primes_job(0), primes_job(1)};
  CHECK_NOTHROW(key.check(answers));
  ++answers[1];
  CHECK_THROWS_WITH(key.check(answers), Contains("wrong answer") && Contains("job 1"));
  answers.pop_back();
  CHECK_THROWS_WITH(key.check(answers), Contains("wrong answer"));
}

TEST_CASE("sha256: digests are checked, and a wrong one is loud") {
  sha256_blocks const blocks(2, 7);
  std::vector<digest> digests{sha256(blocks.block(0)), sha256(blocks.block(1))};
  CHECK_NOTHROW(blocks.check(digests));
  CHECK(digests[0] != digests[1]);
  digests[1][31] ^= 1;
  CHECK_THROWS_WITH(blocks.check(digests), Contains("block 1"));
}

TEST_CASE("files: the corpus is what was written, checked to the byte, and goes away") {
  std::string folder;
  {
    file_corpus::owner const owner;
    folder = owner.folder();
    ::setenv(file_corpus::variable, folder.c_str(), 1);
    file_corpus const corpus;
    std::vector<std::byte> buffer(file_corpus::file_bytes);
    CHECK_NOTHROW(read_file_blocking(corpus, 5, buffer));
    buffer[100] ^= std::byte{1};
    CHECK_THROWS_WITH(corpus.check(5, buffer), Contains("wrong answer"));
    CHECK_THROWS_WITH(corpus.check(5, std::span(buffer).first(10)), Contains("10 bytes"));
    ::unsetenv(file_corpus::variable);
  }
  CHECK_FALSE(std::ifstream(folder + "/0000").good());
  CHECK_THROWS_WITH(file_corpus(), Contains(file_corpus::variable));
}

TEST_CASE("units: every thread and every process runs once") {
  shared_array<int> seen(20);
  run_threads(10, [&](long i) { seen[static_cast<std::size_t>(i)] = 1; });
  run_processes(10, [&](long i) { seen[static_cast<std::size_t>(i + 10)] = 1; });
  CHECK(std::accumulate(seen.items().begin(), seen.items().end(), 0) == 20);
}

TEST_CASE("units: a process that fails or dies is reported") {
  CHECK_THROWS_WITH(run_processes(2,
                                  [](long i) {
                                    if (i == 1) ::_exit(4);
                                  }),
                    Contains("status 4"));
  CHECK_THROWS_WITH(run_processes(1, [](long) { ::kill(::getpid(), SIGKILL); }),
                    Contains("signal 9"));
}

TEST_CASE("heartbeat: its job has the answer that it checks, and another is loud") {
  cell c;
  heartbeat beats(c);
  CHECK_NOTHROW(beats.job_done(heartbeat_job()));
  CHECK_THROWS_WITH(beats.job_done(1), Contains("wrong answer"));
}

TEST_CASE("doctor: each reason for a refused io_uring has a sentence that says what to do") {
  CHECK_THAT(explain_setup_error(EPERM), Contains("seccomp") || Contains("sysctl"));
  CHECK_THAT(explain_setup_error(ENOSYS), Contains("5.1"));
  CHECK_THAT(explain_setup_error(ENOMEM), Contains("RLIMIT_MEMLOCK"));
  CHECK_THAT(explain_setup_error(EMFILE), Contains("ulimit -n"));
  CHECK_THAT(explain_setup_error(ENFILE), Contains("fs.file-max"));
  CHECK_FALSE(explain_setup_error(EIO).empty());
}

TEST_CASE("doctor: the ladder ends at the first rung that cannot be done without") {
  auto const ladder = climb_uring_ladder();
  REQUIRE(ladder.size() >= 2);
  CHECK(ladder[1].name == "io_uring_setup");
  for (std::size_t i = 0; i + 1 < ladder.size(); ++i)
    CHECK((ladder[i].works || !ladder[i].required || ladder[i].name == "features" ||
           ladder[i].name == "operations"));
  for (rung const& r : ladder) CHECK_FALSE(r.detail.empty());
}
