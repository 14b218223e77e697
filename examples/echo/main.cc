#include "examples/echo/server.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = pilotlight::echo::read_options(argc, argv, exit_code);
  if (!options) return exit_code;
  return pilotlight::echo::Server(*options).run();
}
