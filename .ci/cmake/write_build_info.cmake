# Run by every build of the lab (cmake -P): the git hash is that of the build, not of the configuration.
find_package(Git QUIET)
set(PLAIT_GIT_HASH "unknown")
if(GIT_EXECUTABLE)
  execute_process(
    COMMAND "${GIT_EXECUTABLE}" -C "${SOURCE_DIR}" describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE hash OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(PLAIT_GIT_HASH "${hash}")
  endif()
endif()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
