#include <plait/channel/closed.hpp>

namespace plait {

channel_closed::channel_closed()
    : std::runtime_error("the channel is closed: nothing can be sent into it") {}

sender_gone::sender_gone()
    : std::runtime_error("the sender is gone, and has sent nothing: it returned or failed before") {}

void detail::throw_channel_closed() { throw channel_closed(); }
void detail::throw_sender_gone() { throw sender_gone(); }

}  // namespace plait
