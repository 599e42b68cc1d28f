# Finds liburing, which ships no CMake package of its own.
#
# Defines the target liburing::liburing, and Liburing_FOUND, Liburing_VERSION.
# The version is read from liburing.pc, for its header names one only since 2.4.

find_path(Liburing_INCLUDE_DIR liburing.h)
find_library(Liburing_LIBRARY uring)
mark_as_advanced(Liburing_INCLUDE_DIR Liburing_LIBRARY)

if(Liburing_LIBRARY)
  get_filename_component(_liburing_lib_dir "${Liburing_LIBRARY}" DIRECTORY)
  set(_liburing_pc "${_liburing_lib_dir}/pkgconfig/liburing.pc")
  if(EXISTS "${_liburing_pc}")
    file(STRINGS "${_liburing_pc}" _liburing_version_line REGEX "^Version:")
    string(REGEX REPLACE "^Version: *" "" Liburing_VERSION "${_liburing_version_line}")
  elseif(EXISTS "${Liburing_INCLUDE_DIR}/liburing/io_uring_version.h")
    file(STRINGS "${Liburing_INCLUDE_DIR}/liburing/io_uring_version.h" _liburing_version_line
      REGEX "define IO_URING_VERSION_(MAJOR|MINOR)")
    string(REGEX REPLACE ".*MAJOR *([0-9]+).*MINOR *([0-9]+).*" "\\1.\\2"
      Liburing_VERSION "${_liburing_version_line}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Liburing
  REQUIRED_VARS Liburing_LIBRARY Liburing_INCLUDE_DIR
  VERSION_VAR Liburing_VERSION
  REASON_FAILURE_MESSAGE "On Debian and Ubuntu: apt install liburing-dev")

if(Liburing_FOUND AND NOT TARGET liburing::liburing)
  add_library(liburing::liburing UNKNOWN IMPORTED)
  set_target_properties(liburing::liburing PROPERTIES
    IMPORTED_LOCATION "${Liburing_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Liburing_INCLUDE_DIR}")
endif()
