#include <plait/io/blocking_op.hpp>

namespace plait::io {

blocking_op::thread_job::thread_job(blocking_op& o) noexcept
    : pool_job([](pool_job& j) noexcept {
        blocking_op& self = static_cast<thread_job&>(j).owner;
        self.outcome_ = self.lowering->block(self, self.home_->sys());
        self.home_->post(self.homecoming_);
      }),
      owner(o) {}

blocking_op::homecoming::homecoming(blocking_op& o) noexcept
    : remote_call([](remote_call& c) noexcept {
        blocking_op& self = static_cast<homecoming&>(c).owner;
        --*self.in_flight_;
        self.finish_request(self.outcome_, 0);
      }),
      owner(o) {}

void blocking_op::send_to(thread_pool& pool, std::size_t& in_flight) {
  home_ = &scheduler::current();
  in_flight_ = &in_flight;
  pool.submit(job_);
}

bool blocking_op::withdraw(thread_pool& pool) noexcept { return pool.try_withdraw(job_); }

}  // namespace plait::io
