// expect: a view does not own its elements
#include <plait/process_pool.hpp>

#include <string_view>

struct request {
  int id;
  std::string_view text;
};
int serve(request r);

plait::task<> ask(plait::process_pool& pool) {
  int const n = co_await pool.run(serve, request{1, "text"});
  static_cast<void>(n);
}
