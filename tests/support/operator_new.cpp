// The global operator new and delete of the test binaries: malloc, and failure where a test has
// planned one.
#include "support/allocate.hpp"

#include <plait/testing/allocation_fault.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>

#if PLAIT_TEST_OPERATOR_NEW

namespace {

void* get(std::size_t bytes) noexcept {
  if (plait::testing::allocation_fault::next_fails()) return nullptr;
  return std::malloc(bytes != 0 ? bytes : 1);
}

void* get(std::size_t bytes, std::align_val_t alignment) noexcept {
  if (plait::testing::allocation_fault::next_fails()) return nullptr;
  auto const to = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(to, (bytes + to - 1) / to * to);
}

void* or_throw(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return or_throw(get(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(get(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t to) { return or_throw(get(bytes, to)); }
void* operator new[](std::size_t bytes, std::align_val_t to) { return or_throw(get(bytes, to)); }
void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept { return get(bytes); }
void* operator new[](std::size_t bytes, std::nothrow_t const&) noexcept { return get(bytes); }
void* operator new(std::size_t bytes, std::align_val_t to, std::nothrow_t const&) noexcept {
  return get(bytes, to);
}
void* operator new[](std::size_t bytes, std::align_val_t to, std::nothrow_t const&) noexcept {
  return get(bytes, to);
}

void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::nothrow_t const&) noexcept { std::free(block); }
void operator delete[](void* block, std::nothrow_t const&) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t, std::nothrow_t const&) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::align_val_t, std::nothrow_t const&) noexcept {
  std::free(block);
}

#endif
