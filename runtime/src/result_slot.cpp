#include <plait/detail/result_slot.hpp>

namespace plait::detail {

void rethrow(std::exception_ptr const& error) { std::rethrow_exception(error); }

void keep_current_exception(std::exception_ptr& into) noexcept { into = std::current_exception(); }

void drop_error(std::exception_ptr& error) noexcept { std::destroy_at(&error); }

}  // namespace plait::detail
