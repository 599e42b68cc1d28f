# Compiles SOURCE with COMPILER and fails unless the compiler rejects it, with every text that the
# file asks for by a line "// expect: TEXT" among its diagnostics.

file(STRINGS "${SOURCE}" expectations REGEX "^// expect: .+")
if(NOT expectations)
  message(FATAL_ERROR "${SOURCE} has no line '// expect: TEXT': it could fail for any reason.")
endif()

set(arguments -std=c++20 -fsyntax-only -Wall -Wextra -Werror=unused-result)
foreach(dir IN LISTS INCLUDE_DIRS)
  list(APPEND arguments "-I${dir}")
endforeach()
foreach(definition IN LISTS DEFINITIONS)
  list(APPEND arguments "-D${definition}")
endforeach()

execute_process(
  COMMAND "${COMPILER}" ${arguments} "${SOURCE}"
  RESULT_VARIABLE status
  OUTPUT_VARIABLE diagnostics
  ERROR_VARIABLE diagnostics)

if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, but must not.")
endif()
foreach(line IN LISTS expectations)
  string(REGEX REPLACE "^// expect: " "" text "${line}")
  string(FIND "${diagnostics}" "${text}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "${SOURCE} is rejected, but not with the text\n  ${text}\nbut with\n${diagnostics}")
  endif()
endforeach()
