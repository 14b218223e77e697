#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace pilotlight::kube {

using Json = nlohmann::json;

/// Reading JSON that a peer sent, without ever throwing: a path that does not exist, or leads to
/// another type, is simply absent. `find(pod, {"status", "podIP"})`.
using Path = std::initializer_list<std::string_view>;

/// What is at `path`, or nullptr. The empty path is the object itself.
[[nodiscard]] const Json* find(const Json& object, Path path) noexcept;

/// The string at `path`, or "". The view lives as long as the object.
[[nodiscard]] std::string_view text(const Json& object, Path path) noexcept;

/// The integer at `path`; none when absent, of another type, or beyond 64 bits.
[[nodiscard]] std::optional<std::int64_t> integer(const Json& object, Path path) noexcept;

/// The boolean at `path`, or `fallback`.
[[nodiscard]] bool boolean(const Json& object, Path path, bool fallback) noexcept;

/// The array at `path`, or an empty one.
[[nodiscard]] const Json& array(const Json& object, Path path) noexcept;

/// Parses; none when `bytes` is not JSON, or nests deeper than 256 levels.
[[nodiscard]] std::optional<Json> parse_json(std::string_view bytes);

/// One line of text. Bytes that are not UTF-8 become U+FFFD instead of an exception.
[[nodiscard]] std::string to_text(const Json& object);

/// metadata.name, metadata.namespace ("" when absent) and so on.
[[nodiscard]] std::string_view name_of(const Json& object) noexcept;
[[nodiscard]] std::string_view namespace_of(const Json& object) noexcept;
[[nodiscard]] std::string_view resource_version_of(const Json& object) noexcept;
/// metadata.labels[key], or "".
[[nodiscard]] std::string_view label_of(const Json& object, std::string_view key) noexcept;
/// On a pod: of those that are ready the one with the lowest goes first.
inline constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";
/// What it says; 0 without one, and for one that is no number.
[[nodiscard]] std::int32_t deletion_cost_of(const Json& pod) noexcept;
/// DeleteOptions that remove this object, and nothing else that has its name: one of the same uid
/// and resourceVersion, as far as they are known. Null: nothing is.
[[nodiscard]] Json delete_options(const Json& seen);
/// metadata.annotations[key], or "".
[[nodiscard]] std::string_view annotation_of(const Json& object, std::string_view key) noexcept;

}  // namespace pilotlight::kube
