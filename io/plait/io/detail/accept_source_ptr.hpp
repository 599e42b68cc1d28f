// What a listener holds of the place where its connections land.
#pragma once

#include <memory>

namespace plait::io::detail {

class accept_source;
struct accept_source_deleter {
  void operator()(accept_source* s) const noexcept;
};
using accept_source_ptr = std::unique_ptr<accept_source, accept_source_deleter>;

}  // namespace plait::io::detail
