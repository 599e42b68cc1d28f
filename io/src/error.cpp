#include <plait/io/error.hpp>

namespace plait::io {
namespace {

class io_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "plait::io"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::end_of_file: return "the stream ended before all that was asked for had come";
      case errc::closed: return "closed by its owner while the operation waited";
      case errc::busy:
        return "another task already waits for this direction of the stream; let one task read and "
               "one task write";
      case errc::invalid_address: return "not a numeric IPv4 or IPv6 address";
    }
    return "unknown plait::io error";
  }
};

std::string describe(io_failure const& f, std::string const& about) {
  std::string text = f.operation;
  if (!about.empty()) text += " " + about;
  if (f.transferred != 0) text += " (after " + std::to_string(f.transferred) + " bytes)";
  return text;
}

}  // namespace

std::error_category const& error_category() noexcept {
  static io_category const category;
  return category;
}

std::string io_failure::message() const { return describe(*this, {}) + ": " + code.message(); }

io_error::io_error(io_failure const& f, std::string const& about)
    : std::system_error(f.code, describe(f, about)), transferred_(f.transferred) {}

}  // namespace plait::io
