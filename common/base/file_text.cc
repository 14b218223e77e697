#include "common/base/file_text.h"

#include <fstream>
#include <iterator>

namespace pilotlight {

std::optional<std::string> file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return std::nullopt;
  return text;
}

}  // namespace pilotlight
