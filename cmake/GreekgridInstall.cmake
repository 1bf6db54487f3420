# install() of the libraries with their headers and a package configuration, so that find_package(greekgrid) works.
# The rooms up to host need Highway, oneTBB and, where they are built in, the CUDA runtime and cuBLAS. io has more
# dependencies, so it is an export set of its own, loaded only by find_package(greekgrid COMPONENTS io).
include(CMakePackageConfigHelpers)
set(greekgrid_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/greekgrid)
foreach(room kernels scenarios host io)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${room}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
install(TARGETS greekgrid_formulas greekgrid_kernels greekgrid_scenarios greekgrid_host EXPORT greekgridTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS greekgrid_io EXPORT greekgridIoTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT greekgridTargets NAMESPACE greekgrid:: DESTINATION ${greekgrid_package_dir})
install(EXPORT greekgridIoTargets NAMESPACE greekgrid:: DESTINATION ${greekgrid_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/greekgridConfig.cmake.in
  ${PROJECT_BINARY_DIR}/greekgridConfig.cmake INSTALL_DESTINATION ${greekgrid_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/greekgridConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/greekgridConfig.cmake ${PROJECT_BINARY_DIR}/greekgridConfigVersion.cmake
  DESTINATION ${greekgrid_package_dir})
