#include <plait/codec.hpp>

namespace plait {

message_too_large::message_too_large(std::size_t needs, std::size_t limit)
    : codec_error("a message of at least " + std::to_string(needs) + " bytes is larger than the limit of " +
                  std::to_string(limit) +
                  "; raise process_pool_options::message_bytes_max, or pass less (a path instead of a "
                  "file's content)") {}

namespace detail {

void throw_truncated(std::size_t wanted, std::size_t there) {
  throw codec_error("the message claims " + std::to_string(wanted) + " more bytes or elements where " +
                    std::to_string(there) + " bytes are left");
}

void throw_too_deep() {
  throw codec_error("a value is nested deeper than " + std::to_string(codec_depth_max) + " levels");
}

void throw_bad_value(char const* what) {
  throw codec_error(std::string("the message is damaged: ") + what);
}

}  // namespace detail
}  // namespace plait
