#pragma once

#include <cstdint>
#include <optional>

namespace pilotlight {

/// How many bytes the peer's kernel has acknowledged on this connection since it was opened
/// (TCP_INFO, tcpi_bytes_acked; the SYN counts as one). None if the kernel does not say.
[[nodiscard]] std::optional<std::uint64_t> bytes_acked(int descriptor) noexcept;

/// Whether an idle connection can still be used: nothing to read and no end of file (MSG_PEEK).
/// Bytes that nobody asked for make it unusable too.
[[nodiscard]] bool idle_and_open(int descriptor) noexcept;

/// Bytes that the kernel holds unread for this connection (SIOCINQ).
[[nodiscard]] std::size_t unread_bytes(int descriptor) noexcept;

}  // namespace pilotlight
