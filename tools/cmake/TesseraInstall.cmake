# What `cmake --install` adds to the libraries and the program, each of which says itself where it goes. Components:
# `program`, and `development` for programs that use the libraries.
include(CMakePackageConfigHelpers)
set(package_folder lib/cmake/Tessera)
configure_file(tools/cmake/TesseraConfig.cmake.in TesseraConfig.cmake @ONLY)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/TesseraConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/TesseraConfig.cmake ${CMAKE_BINARY_DIR}/TesseraConfigVersion.cmake
  tools/cmake/TesseraLibraries.cmake DESTINATION ${package_folder} COMPONENT development)
install(EXPORT TesseraTargets NAMESPACE tessera:: DESTINATION ${package_folder} COMPONENT development)
install(DIRECTORY inputs DESTINATION share/tessera COMPONENT program)
install(FILES LICENSE DESTINATION share/doc/tessera COMPONENT program)
