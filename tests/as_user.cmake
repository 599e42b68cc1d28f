# Tests from outside, with what a user has: the installed library, its headers and the README. They build
# what no other test needs, so that one preset (release) has them and the others do not.

foreach(way IN ITEMS package subdirectory pkg-config)
  add_test(NAME "consumer/${way}" COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/consumer/check" "${way}")
  set_tests_properties("consumer/${way}" PROPERTIES
    ENVIRONMENT "${test_environment}"
    TIMEOUT 300
    COST ${first_cost}
    LABELS "once;consumer")
endforeach()

if(EXISTS "${PROJECT_SOURCE_DIR}/README.md")
  add_test(NAME readme COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/readme")
  set_tests_properties(readme PROPERTIES
    ENVIRONMENT "${test_environment}"
    RESOURCE_LOCK build_dir
    TIMEOUT 300
    COST ${first_cost}
    LABELS "once;readme")
endif()

# Every public header compiles alone, whichever a user includes first.
add_test(NAME "tidy/self-contained headers"
  COMMAND "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}"
    --target plait_verify_interface_header_sets --parallel 2)
set_tests_properties("tidy/self-contained headers" PROPERTIES
  RESOURCE_LOCK build_dir
  TIMEOUT 300
  COST ${first_cost}
  LABELS "once;tidy")
