#include <plait/channel/closed.hpp>

namespace plait {

channel_closed::channel_closed()
    : std::runtime_error("the channel is closed: nothing can be sent into it") {}

void detail::throw_channel_closed() { throw channel_closed(); }

}  // namespace plait
