// Programs that several tests run in simulated worlds.
#pragma once

#include <plait/io/address.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <string>

namespace plait::test {

// Letters that differ from place to place, and from one `from` to the next.
std::string text_of(std::size_t bytes, unsigned from);

// Sends back what comes, until the peer has ended.
task<> echo(io::tcp_stream peer);

// Sends the text, reads as much, and throws where that differs.
task<> ask(io::address server, std::string text);

// A server on port 7000, and so many clients of 1,000 bytes each.
task<> echo_among(int clients);

}  // namespace plait::test
