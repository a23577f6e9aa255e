# One static library per layer. A layer sees only what it links, so the link line is the fence:
#   tessera_layer(scan SOURCES geometry.cpp DEPENDS tessera::config)
# makes target tessera_scan, alias tessera::scan, and compiles every header of the directory alone.
function(tessera_layer NAME)
  cmake_parse_arguments(LAYER "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(tessera_${NAME} STATIC ${LAYER_SOURCES})
  add_library(tessera::${NAME} ALIAS tessera_${NAME})
  target_include_directories(tessera_${NAME} PUBLIC
    "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src;${CMAKE_SOURCE_DIR}>" $<INSTALL_INTERFACE:include/tessera>)
  target_link_libraries(tessera_${NAME} PUBLIC ${LAYER_DEPENDS}
    PRIVATE $<BUILD_INTERFACE:tessera_options> ${LAYER_PRIVATE_DEPENDS})
  tessera_check_headers(${NAME})
  tessera_install_layer(${NAME})
endfunction()

# The library and its headers, for other programs: find_package(Tessera) gives them tessera::NAME.
function(tessera_install_layer NAME)
  target_compile_features(tessera_${NAME} INTERFACE cxx_std_20)
  set_target_properties(tessera_${NAME} PROPERTIES EXPORT_NAME ${NAME})
  install(TARGETS tessera_${NAME} EXPORT TesseraTargets ARCHIVE DESTINATION lib COMPONENT development)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REGEX REPLACE "^src/" "" folder ${folder})
  install(FILES ${headers} DESTINATION include/tessera/${folder} COMPONENT development)
endfunction()

# Each header must compile alone: one generated translation unit per header, never linked.
function(tessera_check_headers NAME)
  file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp)
  set(units "")
  foreach(header IN LISTS headers)
    if(header MATCHES "-inl\\.hpp$") # compiled once per instruction set by the files that include it
      continue()
    endif()
    string(MAKE_C_IDENTIFIER ${header} identifier)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/alone/${identifier}.cpp)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\" // IWYU pragma: keep\n")
    list(APPEND units ${unit})
  endforeach()
  if(units AND TESSERA_BUILD_TESTS)
    add_library(tessera_${NAME}_headers OBJECT ${units})
    target_link_libraries(tessera_${NAME}_headers PRIVATE tessera_${NAME} tessera_options)
  endif()
endfunction()

# Flags of our own code only; dependencies keep theirs.
add_library(tessera_options INTERFACE)
set(host_options
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -ffp-contract=off # the same rounding wherever a formula is inlined: overlapping tiles stay bitwise equal
  -fno-math-errno)
set(cxx_options ${host_options} -Wpedantic -Wconversion -Wno-sign-conversion -Wold-style-cast
  $<$<BOOL:${TESSERA_WARNINGS_AS_ERRORS}>:-Werror>)
# What nvcc generates around a kernel is neither pedantic nor free of C casts, and holds pragmas meant for the device. Its
# warning 554 overlooks that a conversion operator's `requires` excludes the conversion to itself. fmt 9 takes every nvcc
# for one without constexpr.
list(JOIN host_options , host_options)
set(cuda_options -Xcompiler=${host_options},-Wno-unknown-pragmas -Wdefault-stream-launch
  -fmad=false # formulas say fma where they want one: every backend rounds alike
  -diag-suppress=554 -DFMT_USE_CONSTEXPR=1
  $<$<BOOL:${TESSERA_WARNINGS_AS_ERRORS}>:-Werror=all-warnings>)
target_compile_options(tessera_options INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:${cxx_options}>" "$<$<COMPILE_LANGUAGE:CUDA>:${cuda_options}>")
if(TESSERA_SANITIZE)
  # GCC sees uninitialized members in the standard library's regular expressions once those are instrumented.
  add_compile_options(
    "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TESSERA_SANITIZE};-fno-omit-frame-pointer;-g;-Wno-maybe-uninitialized>")
  add_link_options(-fsanitize=${TESSERA_SANITIZE})
endif()
