# find_package(plait) and pkg-config plait, both relocatable: the tree may be moved after the install.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/plait")

install(TARGETS plait
  EXPORT plaitTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT plaitTargets NAMESPACE plait:: DESTINATION "${cmake_dir}")

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/plaitConfig.cmake.in" "${PROJECT_BINARY_DIR}/plaitConfig.cmake"
  INSTALL_DESTINATION "${cmake_dir}"
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/plaitConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/plaitConfig.cmake"
  "${PROJECT_BINARY_DIR}/plaitConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindLiburing.cmake"
  DESTINATION "${cmake_dir}")

set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH prefix_from_pkgconfig_dir "/prefix/${pkgconfig_dir}" "/prefix")
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig_dir "${prefix_from_pkgconfig_dir}")
if(PLAIT_ASSERTIONS)
  set(assertions 1)
else()
  set(assertions 0)
endif()
set(tracking_flag "")
if(NOT PLAIT_TASK_TRACKING)
  set(tracking_flag " -DPLAIT_TASK_TRACKING=0")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/plait.pc.in" "${PROJECT_BINARY_DIR}/plait.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/plait.pc" DESTINATION "${pkgconfig_dir}")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
