// All of plait.
#pragma once

#include <plait/cancel.hpp>
#include <plait/clock.hpp>
#include <plait/codec.hpp>
#include <plait/deadlock_error.hpp>
#include <plait/finally.hpp>
#include <plait/on.hpp>
#include <plait/process_pool.hpp>
#include <plait/run.hpp>
#include <plait/runtime.hpp>
#include <plait/scheduler.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <plait/io/address.hpp>
#include <plait/io/directory.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_system.hpp>
#include <plait/io/pipe.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/signal.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/udp.hpp>
#include <plait/io/unix.hpp>
#include <plait/io/wait.hpp>
