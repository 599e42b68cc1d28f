// Exceptions as messages.
#pragma once

#include <plait/codec.hpp>

#include <exception>

namespace plait::detail {

// The exception that is being handled.
void encode_exception(encoder& to);

// What to throw for it: the same type where it is a standard one; else one that has the nearest
// standard base and is a remote_failure; else remote_error. Throws codec_error for a damaged message.
std::exception_ptr decode_exception(decoder& from);

}  // namespace plait::detail
