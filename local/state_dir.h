#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <boost/system/result.hpp>

#include "common/kube/json.h"

namespace pilotlight::local {

/// Why something could not be set up, for people.
struct Reason {
  std::string text;

  Reason() = default;
  [[nodiscard]] static Reason because(std::string text) { return {0, std::move(text)}; }

 private:
  // Nothing converts to a Reason by itself, so that a result's value is never taken for one.
  Reason(int, std::string t) : text(std::move(t)) {}
};

template <class T = void>
using OrReason = boost::system::result<T, Reason>;

/// In that folder: what the autoscaler decided, one JSON object a line; kept after the end.
inline constexpr const char* kDecisionFile = "decisions.jsonl";
/// And every second and every turn that it decided by, for `pilotlight decide`.
inline constexpr const char* kRecordingFile = "turns.jsonl";

/// The folder in which one `up` keeps what others need to find it: `up.json` (while it runs),
/// `lock`, `token` (mode 0600, made once), `kubeconfig` (0600), `logs/`, `decisions.jsonl`,
/// `turns.jsonl`. Whoever holds the lock owns it; the kernel drops the lock with the process, so
/// leftovers of a killed `up` block nobody.
class StateDir {
 public:
  /// Makes the folder (0700) and takes the lock. The reason names who has it.
  [[nodiscard]] static OrReason<StateDir> take(const std::filesystem::path& path);
  ~StateDir();
  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&&) = delete;

  [[nodiscard]] std::filesystem::path logs() const { return path_ / "logs"; }
  [[nodiscard]] std::filesystem::path token_file() const { return path_ / "token"; }
  [[nodiscard]] std::filesystem::path kubeconfig() const { return path_ / "kubeconfig"; }
  [[nodiscard]] std::filesystem::path decisions() const { return path_ / kDecisionFile; }
  [[nodiscard]] std::filesystem::path recording() const { return path_ / kRecordingFile; }
  [[nodiscard]] std::filesystem::path up_json() const { return path_ / "up.json"; }

  /// The token of this folder, made from `seed` bits when there is none.
  [[nodiscard]] OrReason<std::string> token(std::uint64_t seed_1, std::uint64_t seed_2);

  /// A kubeconfig whose only cluster is the API at `address` ("ip:port"). The token is part of the
  /// server's URL, because kubectl sends no bearer token over plain HTTP; it is there as a token
  /// too for clients that do.
  [[nodiscard]] OrReason<> write_kubeconfig(const std::string& address, const std::string& token);

  [[nodiscard]] OrReason<> write_up(const kube::Json& content);
  void remove_up();

 private:
  StateDir(std::filesystem::path path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

  std::filesystem::path path_;
  int lock_fd_ = -1;
};

/// What a running `up` wrote into its folder; none when nothing runs there (a leftover does not
/// count: the lock tells).
[[nodiscard]] std::optional<kube::Json> find_up(const std::filesystem::path& state_dir);

/// Whether somebody holds the lock of that folder.
[[nodiscard]] bool is_locked(const std::filesystem::path& state_dir);

/// Deletes the oldest files of `folder` until at most `keep` are left.
void prune_files(const std::filesystem::path& folder, std::size_t keep);

}  // namespace pilotlight::local
