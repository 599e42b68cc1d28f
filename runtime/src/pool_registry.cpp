#include <plait/detail/pool_function.hpp>
#include <plait/pool/errors.hpp>

#include "pool_registry.hpp"

#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace plait::detail {

namespace {

constinit std::atomic<job_function const*> first_function{nullptr};

// FNV-1a (Fowler, Noll, Vo).
std::uint64_t digest(std::span<unsigned char const> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char const b : bytes) hash = (hash ^ b) * 0x100000001b3;
  return hash != 0 ? hash : 1;
}

std::span<unsigned char const> segment(dl_phdr_info const& module, ElfW(Phdr) const& header) noexcept {
  return {reinterpret_cast<unsigned char const*>(module.dlpi_addr + header.p_vaddr), header.p_memsz};
}

std::span<unsigned char const> build_id_in(std::span<unsigned char const> notes) noexcept {
  while (notes.size() > sizeof(ElfW(Nhdr))) {
    auto const& note = *reinterpret_cast<ElfW(Nhdr) const*>(notes.data());
    std::size_t const name_bytes = (note.n_namesz + 3u) & ~3u;
    std::size_t const bytes = sizeof note + name_bytes + ((note.n_descsz + 3u) & ~3u);
    if (bytes > notes.size()) return {};
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4) {
      return notes.subspan(sizeof note + name_bytes, note.n_descsz);
    }
    notes = notes.subspan(bytes);
  }
  return {};
}

// The build id, or where the linker wrote none, the code itself.
std::span<unsigned char const> identity_of(dl_phdr_info const& module) noexcept {
  std::span<unsigned char const> code;
  for (auto const& header : std::span(module.dlpi_phdr, module.dlpi_phnum)) {
    if (header.p_type == PT_NOTE) {
      if (auto const id = build_id_in(segment(module, header)); !id.empty()) return id;
    }
    if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0) code = segment(module, header);
  }
  return code;
}

bool has_code_at(dl_phdr_info const& module, std::uintptr_t address) noexcept {
  for (auto const& header : std::span(module.dlpi_phdr, module.dlpi_phnum)) {
    std::uintptr_t const begin = module.dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0 && address >= begin &&
        address - begin < header.p_memsz) {
      return true;
    }
  }
  return false;
}

// Calls visit(module) until it returns true.
template <class Visit>
bool visit_modules(Visit visit) {
  return ::dl_iterate_phdr(
             [](dl_phdr_info* module, std::size_t, void* v) -> int {
               return (*static_cast<Visit*>(v))(*module) ? 1 : 0;
             },
             &visit) != 0;
}

struct key_hash {
  std::size_t operator()(function_key const& k) const noexcept {
    return static_cast<std::size_t>(k.module ^ (k.offset * 0x9e3779b97f4a7c15));
  }
};

std::string hex(std::uint64_t n) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(n));
  return text;
}

}  // namespace

job_function::job_function(trampoline calls, std::type_info const& of) noexcept
    : call_(calls), type_(&of), next_(first_function.load(std::memory_order_relaxed)) {
  // Libraries may be loaded by several threads.
  while (!first_function.compare_exchange_weak(next_, this, std::memory_order_release,
                                               std::memory_order_relaxed)) {
  }
}

job_function const* job_function::first() noexcept {
  return first_function.load(std::memory_order_acquire);
}

function_key job_function::key() const {
  // acquire, release: with the module comes the offset
  if (std::uint64_t const module = module_.load(std::memory_order_acquire); module != 0) {
    return {module, offset_.load(std::memory_order_relaxed)};
  }
  function_key const found = key_of_code(reinterpret_cast<void const*>(call_));
  offset_.store(found.offset, std::memory_order_relaxed);
  module_.store(found.module, std::memory_order_release);
  return found;
}

job_function const& job_function::find(function_key key) {
  static std::unordered_map<function_key, job_function const*, key_hash> known;
  static std::mutex mutex;
  std::lock_guard const guard(mutex);
  if (auto const at = known.find(key); at != known.end()) return *at->second;
  // New ones come with every library that is loaded.
  for (job_function const* f = first(); f != nullptr; f = f->next()) {
    known.emplace(key_of_code(reinterpret_cast<void const*>(f->call())), f);
  }
  if (auto const at = known.find(key); at != known.end()) return *at->second;
  throw unknown_function("no registered function stands at offset 0x" + hex(key.offset) +
                         " of the module with build id digest " + hex(key.module) +
                         "; a function in a library must be loaded by the program's start, before "
                         "plait::run, so that workers have it too");
}

function_key key_of_code(void const* code) {
  function_key found;
  auto const address = reinterpret_cast<std::uintptr_t>(code);
  bool const known = visit_modules([&](dl_phdr_info const& module) {
    if (!has_code_at(module, address)) return false;
    found = {digest(identity_of(module)), address - module.dlpi_addr};
    return true;
  });
  if (!known) throw unknown_function("a job's function is in no loaded module");
  return found;
}

void* code_at(function_key key) {
  std::uintptr_t address = 0;
  bool const known = visit_modules([&](dl_phdr_info const& module) {
    if (digest(identity_of(module)) != key.module) return false;
    address = module.dlpi_addr + key.offset;
    return has_code_at(module, address);
  });
  if (!known) {
    throw unknown_function("no code at offset 0x" + hex(key.offset) +
                           " of the module with build id digest " + hex(key.module));
  }
  return reinterpret_cast<void*>(address);
}

std::uint64_t program_identity() {
  std::uint64_t found = 0;
  visit_modules([&](dl_phdr_info const& module) {  // the program itself comes first
    found = digest(identity_of(module));
    return true;
  });
  return found;
}

std::string identity_text(std::uint64_t identity) { return hex(identity); }

std::string readable_name(std::type_info const& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> const text(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : type.name();
}

}  // namespace plait::detail
