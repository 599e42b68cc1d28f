# How plait's own sources are compiled. Nothing here reaches the user of the library: as a
# subproject plait adds no warnings, no launcher and no sanitizer to the build around it.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(WARNING
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines in two ways that can reach your code:\n"
    "  1. if/while/switch (co_await ...) in a coroutine whose outermost block declares no local "
    "variable silently never runs. Write: bool more = co_await ...; if (more).\n"
    "  2. A lambda with non-trivial captures, or an aggregate temporary with non-trivial members, "
    "inside a full expression with co_await is destroyed twice. Give it a name before the await, "
    "or pass a function and its arguments.\n"
    "clang 19 and g++ 13 or later have neither.")
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(PLAIT_CCACHE ccache)
  mark_as_advanced(PLAIT_CCACHE)
  if(PLAIT_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${PLAIT_CCACHE}")
  endif()

  if(PLAIT_SANITIZE)
    add_compile_options(
      "-fsanitize=${PLAIT_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    # UBSan's vptr check probes memory through a pipe, and takes a full descriptor table, which some
    # tests make, for a bad pointer.
    if(PLAIT_SANITIZE MATCHES "undefined")
      add_compile_options(-fno-sanitize=vptr)
    endif()
    add_link_options("-fsanitize=${PLAIT_SANITIZE}")
  endif()
endif()

# Warnings for a target that holds plait's own sources.
function(plait_own_sources target)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow)
    if(PLAIT_WERROR)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  endif()
endfunction()

# What most of a target's sources include. They keep their include lines: whoever builds plait as a part of
# something else (tests/consumer) builds without.
function(plait_precompile target)
  if(PROJECT_IS_TOP_LEVEL AND PLAIT_PRECOMPILE)
    if("REUSE_FROM" IN_LIST ARGN)
      target_precompile_headers(${target} ${ARGN})
    else()
      target_precompile_headers(${target} PRIVATE ${ARGN})
    endif()
  endif()
endfunction()

# The sources of a target in few translation units.
function(plait_unite target)
  if(PROJECT_IS_TOP_LEVEL AND PLAIT_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # a source is no header
    endif()
  endif()
endfunction()
