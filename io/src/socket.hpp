// What TCP needs of the socket calls, with errors that say what was attempted.
#pragma once

#include <plait/io/address.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/tcp.hpp>

namespace plait::io {

descriptor open_socket(int family, int type, bool nonblocking);
void set_option(int fd, int level, int name, int value, char const* what);
void apply(int fd, tcp_options const& options);
address local_address_of(int fd);
address remote_address_of(int fd);

}  // namespace plait::io
