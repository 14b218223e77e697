#include "examples/echo/options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pilotlight::echo {
namespace {

constexpr const char* kHelp =
    "echo-server: an HTTP/1.1 server that answers with what it got and watches its concurrency\n"
    "\n"
    "  --port N           listen here (default $PORT, else 8080; 0 picks a port)\n"
    "  --address IP       listen on this address (default 0.0.0.0)\n"
    "  --limit N          a request above N at once is answered 500 and counted (or $ECHO_LIMIT)\n"
    "  --start-delay MS   wait before listening\n"
    "  --never-listen     never listen\n"
    "  --exit-after MS    exit after this long\n"
    "  --exit-code N      with this code (default 3)\n"
    "\n"
    "Queries: ?sleep=MS ?bytes=N ?chunks=N&every=MS ?status=N ?id=X ?headers=1; GET /stats.\n";

/// A number of at most `max`, or nothing.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

bool apply(Options& options, std::string_view name, std::string_view value) {
  if (name == "--address") {
    options.address = value;
    return true;
  }
  const auto n = number(value, 1'000'000'000);
  if (!n) return false;
  if (name == "--port" && *n <= 65535) {
    options.port = static_cast<std::uint16_t>(*n);
  } else if (name == "--limit") {
    options.limit = static_cast<std::uint32_t>(*n);
  } else if (name == "--start-delay") {
    options.start_delay = std::chrono::milliseconds(*n);
  } else if (name == "--exit-after") {
    options.exit_after = std::chrono::milliseconds(*n);
  } else if (name == "--exit-code" && *n <= 255) {
    options.exit_code = static_cast<int>(*n);
  } else {
    return false;
  }
  return true;
}

bool apply_environment(Options& options) {
  const char* port = std::getenv("PORT");
  const char* limit = std::getenv("ECHO_LIMIT");
  return (port == nullptr || apply(options, "--port", port)) &&
         (limit == nullptr || apply(options, "--limit", limit));
}

}  // namespace

std::optional<Options> read_options(int argc, char** argv, int& exit_code) {
  Options options;
  exit_code = 78;
  if (!apply_environment(options)) {
    std::fputs("echo-server: $PORT and $ECHO_LIMIT must be numbers\n", stderr);
    return std::nullopt;
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help") {
      std::fputs(kHelp, stdout);
      exit_code = 0;
      return std::nullopt;
    }
    if (flag == "--never-listen") {
      options.never_listen = true;
      continue;
    }
    const std::size_t equals = flag.find('=');
    const bool joined = equals != std::string_view::npos;
    const std::string_view value = joined         ? flag.substr(equals + 1)
                                   : i + 1 < argc ? std::string_view(argv[++i])
                                                  : std::string_view();
    if (!apply(options, flag.substr(0, equals), value)) {
      std::fprintf(stderr, "echo-server: bad flag or value: %.*s (try --help)\n",
                   static_cast<int>(flag.size()), flag.data());
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace pilotlight::echo
