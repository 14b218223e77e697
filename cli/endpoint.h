#pragma once

#include <optional>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

namespace pilotlight::cli {

/// "127.0.0.1:8080", "[::1]:0", "localhost:8080" or ":8080" (every address). None for anything
/// else: no name is resolved.
[[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> parse_endpoint(std::string_view text);

}  // namespace pilotlight::cli
