include_guard(GLOBAL)

# How all of our own code is compiled. Third-party code never sees these flags.
add_library(pilotlight_options INTERFACE)
target_compile_features(pilotlight_options INTERFACE cxx_std_20)
target_include_directories(pilotlight_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(
  pilotlight_options
  INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
            BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=64 # three nested awaits fit; see architecture traps
            FMT_HEADER_ONLY=1)
target_compile_options(pilotlight_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                    $<$<BOOL:${PILOTLIGHT_WERROR}>:-Werror>
  # g++ 12 sees the inlined aligned_alloc of Asio's coroutine frames, but not that their operator
  # delete frees: a false alarm as soon as it optimises.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
target_link_libraries(pilotlight_options INTERFACE Threads::Threads Boost::headers)
if(PILOTLIGHT_SANITIZE)
  # Line tables are all that a report needs; full debug info of instrumented coroutines is minutes.
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
  # Clang 14 cannot assemble a coroutine built with -fsanitize=function.
  set(no_function $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  target_compile_options(pilotlight_options INTERFACE -fsanitize=${PILOTLIGHT_SANITIZE} ${no_function}
                                                      -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(pilotlight_options INTERFACE -fsanitize=${PILOTLIGHT_SANITIZE})
  if(PILOTLIGHT_SANITIZE MATCHES thread)
    # TSan does not model atomic_thread_fence(), which Asio uses; its mutexes are enough here.
    target_compile_definitions(pilotlight_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    target_compile_options(pilotlight_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

# What `./dev` asks for by name: the programs, and the tests of each label.
add_custom_target(programs)
foreach(label unit component threads fuzz)
  add_custom_target(tests_${label})
endforeach()

# All targets share pilotlight_base's precompiled Asio headers: same flags, so one is enough.
function(pilotlight_precompiled name)
  if(PILOTLIGHT_PCH AND NOT name STREQUAL pilotlight_base)
    target_precompile_headers(${name} REUSE_FROM pilotlight_base)
  endif()
endfunction()

# pilotlight_library(<name> SOURCES <file>... DEPS <target>...)
#
# DEPS names the folders this one may include. tools/check_layering.py checks the #include lines
# between folders.
function(pilotlight_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC pilotlight_options ${arg_DEPS})
  pilotlight_precompiled(${name})
endfunction()

# pilotlight_binary(<name> SOURCES <file>... DEPS <target>...): a program, in build/<preset>/bin.
function(pilotlight_binary name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE pilotlight_options ${arg_DEPS})
  # The last one: with LTO g++ 12 misreads the size of a small_vector inside Asio.
  target_link_options(${name} PRIVATE
                      $<$<CXX_COMPILER_ID:GNU>:-static-libstdc++ -static-libgcc -Wno-stringop-overread>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
  pilotlight_precompiled(${name})
endfunction()

# pilotlight_test(<name> [LABEL unit|component|threads] [TIMEOUT s] SOURCES <file>... DEPS <target>...)
#
# unit: no network, no real clock. component: loopback sockets on port 0. threads: more than one
# shard, so TSan runs it too. Labels are what `./dev test` picks from.
function(pilotlight_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABEL;SOURCES;DEPS")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE pilotlight_options ${arg_DEPS} pilotlight_test_support
                                        GTest::gtest_main)
  pilotlight_precompiled(${name})
  add_test(NAME ${name} COMMAND ${name} --gtest_shuffle)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABEL}")
  foreach(label ${arg_LABEL})
    add_dependencies(tests_${label} ${name})
  endforeach()
endfunction()

# pilotlight_fuzz(<name> CORPUS <dir> SOURCES <file>... DEPS <target>...): a libFuzzer target.
# Its ctest entry makes the same runs each time; tools/run_fuzz.sh says how to search at random.
function(pilotlight_fuzz name)
  if(NOT PILOTLIGHT_FUZZ)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SOURCES;DEPS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE pilotlight_options ${arg_DEPS})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tools/run_fuzz.sh $<TARGET_FILE:${name}>
                                ${PROJECT_SOURCE_DIR}/${arg_CORPUS})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS fuzz)
  add_dependencies(tests_fuzz ${name})
endfunction()
