# Every third-party library, with the least version that is known to work (Debian 12's).
# Why each one: the table in ARCHITECTURE.md.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt 9.1 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(GTest 1.12 REQUIRED)
set(OPENSSL_USE_STATIC_LIBS TRUE)  # a released binary carries its TLS
find_package(OpenSSL 3.0 REQUIRED)

# yaml-cpp's own CMake package prefers the shared library; a released binary carries the static one.
find_path(YAML_CPP_INCLUDE_DIR yaml-cpp/yaml.h REQUIRED)
find_library(YAML_CPP_STATIC libyaml-cpp.a REQUIRED)
add_library(pilotlight_yaml INTERFACE)
target_include_directories(pilotlight_yaml SYSTEM INTERFACE ${YAML_CPP_INCLUDE_DIR})
target_link_libraries(pilotlight_yaml INTERFACE ${YAML_CPP_STATIC})
