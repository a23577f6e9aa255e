# Device bodies: the .cu file beside an operation's .cpp. One source, three uses:
#   the program with CUDA     nvcc compiles it into the layer
#   the program without       it is left out
#   its walked twin (tests)   compiled as C++, it walks over all indices on the CPU, whether there is CUDA or not
if(TESSERA_WITH_CUDA)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(CMAKE_CUDA_COMPILER nvcc PATHS $ENV{CUDA_HOME} /usr/local/cuda PATH_SUFFIXES bin)
    if(NOT CMAKE_CUDA_COMPILER)
      message(FATAL_ERROR "TESSERA_WITH_CUDA is ON and no CUDA toolkit was found (nvcc is neither on the PATH nor in "
        "CUDA_HOME or /usr/local/cuda): name it, as in -DCMAKE_CUDA_COMPILER=/opt/cuda/bin/nvcc, or leave TESSERA_WITH_CUDA OFF")
    endif()
  endif()
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90 CACHE STRING "GPUs to compile for; those after the last, through its PTX")
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared) # StarPU's: one CUDA runtime in the process, not two
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # nvcc knows C++20 since CUDA 12, CMake 3.25 does not know that
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
endif()

# tessera_device_sources(codelets file.cpp...): with CUDA, the device bodies of the current directory and the files named
# become part of the layer.
function(tessera_device_sources NAME)
  if(TESSERA_WITH_CUDA)
    file(GLOB bodies CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
    target_sources(tessera_${NAME} PRIVATE ${bodies} ${ARGN})
  endif()
endfunction()

# tessera_walked_twin(codelets file.cpp...): tessera::codelets_walked, made of the layer's sources, its device bodies as
# C++, the files named, and the twins of the layers below. Only for tests. Call it before tessera_device_sources.
function(tessera_walked_twin NAME)
  if(NOT TESSERA_BUILD_TESTS)
    return()
  endif()
  get_target_property(sources tessera_${NAME} SOURCES)
  # The language belongs to a file, not to a target: a generated .cpp includes the body.
  file(GLOB bodies CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*.cu)
  foreach(body IN LISTS bodies)
    get_filename_component(stem ${body} NAME_WE)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/walked/${stem}.cpp)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${body}\"\n")
    list(APPEND sources ${unit})
  endforeach()
  add_library(tessera_${NAME}_walked STATIC ${sources} ${ARGN})
  add_library(tessera::${NAME}_walked ALIAS tessera_${NAME}_walked)
  target_include_directories(tessera_${NAME}_walked PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_compile_definitions(tessera_${NAME}_walked PUBLIC TESSERA_WALKED=1
    PRIVATE HWY_COMPILE_ONLY_STATIC) # the CPU bodies beside them are tested elsewhere: one instruction set will do
  get_target_property(libraries tessera_${NAME} LINK_LIBRARIES)
  foreach(library IN LISTS libraries)
    if(TARGET ${library}_walked)
      set(library ${library}_walked)
    endif()
    target_link_libraries(tessera_${NAME}_walked PUBLIC ${library})
  endforeach()
endfunction()
