#include "pool_errors.hpp"

#include <plait/cancel.hpp>
#include <plait/detail/pool_function.hpp>
#include <plait/pool/errors.hpp>

#include <any>
#include <cstring>
#include <cxxabi.h>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <typeinfo>
#include <variant>

namespace plait {

std::string process_end::describe() const {
  if (!known) return "ended, it is not known how";
  if (signal == 0) return "exited with status " + std::to_string(exit_code);
  char const* const name = ::sigdescr_np(signal);
  return "was killed by signal " + std::to_string(signal) + " (" + (name != nullptr ? name : "?") + ")";
}

worker_died::worker_died(std::string_view job, process_end how)
    : std::runtime_error("the worker process " + std::to_string(how.pid) + " " + how.describe() +
                         " while it ran " + std::string(job)),
      how_(how),
      job_(job) {}

process_pool_closed::process_pool_closed()
    : std::runtime_error("the process pool is closed: it takes no more jobs") {}

namespace detail {

namespace {

// What an exception is made of on its way.
struct carried {
  std::uint8_t base = 0;  // index in the list of makers; the nearest standard base
  bool exact = false;     // it was of that type itself
  std::string type_name;
  std::string what;
  int code = 0;
  std::string category;
};

// An exception of another type, by its nearest standard base.
template <class Base>
class derived_failure final : public Base, public remote_failure {
 public:
  derived_failure(Base base, std::string type_name)
      : Base(std::move(base)), remote_failure(std::move(type_name)) {}
};

// Where the base tells nothing itself, the text stands beside it.
template <class Base>
class spoken_failure final : public Base, public remote_failure {
 public:
  spoken_failure(std::string what, std::string type_name)
      : remote_failure(std::move(type_name)), what_(std::move(what)) {}
  char const* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

std::error_code code_of(carried const& c) {
  for (std::error_category const* known :
       {&std::generic_category(), &std::system_category(), &std::iostream_category(),
        &std::future_category()}) {
    if (c.category == known->name()) return {c.code, *known};
  }
  return {c.code, std::generic_category()};
}

// system_error appends the code's text to what it is given; take off what it appended there.
std::string without_code_text(carried const& c) {
  std::string const ending = ": " + code_of(c).message();
  std::string said = c.what;
  if (said.ends_with(ending)) said.resize(said.size() - ending.size());
  return said;
}

template <class E>
std::exception_ptr remake(carried const& c) {
  if constexpr (std::is_same_v<E, std::system_error>) {
    std::system_error made(code_of(c), without_code_text(c));
    if (c.exact) return std::make_exception_ptr(made);
    return std::make_exception_ptr(derived_failure<E>(made, c.type_name));
  } else if constexpr (std::is_constructible_v<E, std::string>) {
    if (c.exact) return std::make_exception_ptr(E(c.what));
    return std::make_exception_ptr(derived_failure<E>(E(c.what), c.type_name));
  } else {
    if (c.exact) return std::make_exception_ptr(E());
    return std::make_exception_ptr(spoken_failure<E>(c.what, c.type_name));
  }
}

struct maker {
  std::type_info const* type;
  bool (*is)(std::exception const&) noexcept;
  std::exception_ptr (*make)(carried const&);
};

template <class E>
constexpr maker maker_of{&typeid(E),
                         [](std::exception const& e) noexcept {
                           return dynamic_cast<E const*>(&e) != nullptr;
                         },
                         &remake<E>};

// Derived ones before their bases: the first that fits is the nearest.
constexpr maker const* makers[] = {
    &maker_of<std::system_error>,      &maker_of<std::range_error>,
    &maker_of<std::overflow_error>,    &maker_of<std::underflow_error>,
    &maker_of<message_too_large>,      &maker_of<codec_error>,
    &maker_of<unknown_function>,       &maker_of<broken_process_pool>,
    &maker_of<std::runtime_error>,     &maker_of<std::invalid_argument>,
    &maker_of<std::domain_error>,      &maker_of<std::length_error>,
    &maker_of<std::out_of_range>,      &maker_of<std::logic_error>,
    &maker_of<std::bad_array_new_length>, &maker_of<std::bad_alloc>,
    &maker_of<std::bad_any_cast>,      &maker_of<std::bad_cast>,
    &maker_of<std::bad_typeid>,        &maker_of<std::bad_function_call>,
    &maker_of<std::bad_optional_access>, &maker_of<std::bad_variant_access>,
    &maker_of<std::bad_weak_ptr>,      &maker_of<std::bad_exception>,
};
constexpr std::uint8_t no_maker = 0xff;

void fill(carried& c, std::exception const& e) {
  c.what = e.what();
  for (std::uint8_t i = 0; i < std::size(makers); ++i) {
    if (!makers[i]->is(e)) continue;
    c.base = i;
    c.exact = *makers[i]->type == typeid(e);
    break;
  }
  if (auto const* const with_code = dynamic_cast<std::system_error const*>(&e)) {
    c.code = with_code->code().value();
    c.category = with_code->code().category().name();
  }
}

std::string name_of_current_exception() {
  std::type_info const* const type = abi::__cxa_current_exception_type();
  return type != nullptr ? readable_name(*type) : "an unknown type";
}

}  // namespace

void encode_exception(encoder& to) {
  carried c;
  c.base = no_maker;
  c.type_name = name_of_current_exception();
  try {
    throw;
  } catch (std::exception const& e) {
    fill(c, e);
  } catch (cancelled const& e) {
    c.what = e.reason();
  } catch (std::string const& text) {
    c.what = text;
  } catch (char const* text) {
    c.what = text;
  } catch (...) {
    c.what = "an exception of type " + c.type_name;
  }
  encode(to, c);
}

std::exception_ptr decode_exception(decoder& from) {
  auto c = decoded<carried>(from);
  from.expect_end();
  if (c.base < std::size(makers)) return makers[c.base]->make(c);
  return std::make_exception_ptr(remote_error(std::move(c.type_name), std::move(c.what)));
}

}  // namespace detail
}  // namespace plait
