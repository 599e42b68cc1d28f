// Waiting for a descriptor that another library owns. One shot; nothing is read, no flag changed.
// Several tasks may wait for one descriptor. POLLERR and POLLHUP end a wait in either direction; a
// regular file is ready at once. The owner may close the descriptor between two waits, but not
// during one.
#pragma once

#include <plait/driver.hpp>

#include <poll.h>

namespace plait::io {

// Each gives the poll(2) events that are there.
inline fd_wait wait_readable(int fd) noexcept { return fd_wait(fd, POLLIN); }
inline fd_wait wait_writable(int fd) noexcept { return fd_wait(fd, POLLOUT); }

}  // namespace plait::io
