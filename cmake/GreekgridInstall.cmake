# install() of the libraries with their headers and a package configuration, so that find_package(greekgrid) works.
include(CMakePackageConfigHelpers)
foreach(room kernels scenarios host io)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${room}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
install(TARGETS greekgrid_formulas greekgrid_kernels greekgrid_scenarios greekgrid_host
  EXPORT greekgridTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT greekgridTargets NAMESPACE greekgrid:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/greekgrid)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/greekgridConfig.cmake.in
  ${PROJECT_BINARY_DIR}/greekgridConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/greekgrid)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/greekgridConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/greekgridConfig.cmake ${PROJECT_BINARY_DIR}/greekgridConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/greekgrid)
