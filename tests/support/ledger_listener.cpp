// Looks at the ledger around every test case of every test binary: what is left behind fails the
// test case that left it.
//
// Catch counts a test case's assertions when its outermost section has been closed by all listeners
// and reporters, listeners first. So a failed check made in sectionEnded of that section counts
// like one that the test made itself; in testCaseEnded it would come too late.
#include <plait/testing/ledger.hpp>

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>

#include <memory>

namespace {

struct ledger_listener : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void sectionStarting(Catch::SectionInfo const&) override {
    if (depth_++ == 0) ledger_ = std::make_unique<plait::testing::ledger_guard>();
  }

  void sectionEnded(Catch::SectionStats const&) override {
    if (--depth_ != 0) return;
    std::string const left = ledger_->differences();
    ledger_.reset();
    if (!left.empty()) FAIL_CHECK("the test left something behind:\n" << left);
  }

 private:
  int depth_ = 0;
  std::unique_ptr<plait::testing::ledger_guard> ledger_;
};
CATCH_REGISTER_LISTENER(ledger_listener)

}  // namespace
