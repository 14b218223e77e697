#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "autoscaler/path_marks.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace pilotlight::autoscaler {

/// Where marks of the traffic path go: the Kubernetes API in the program, a fake in tests.
class PathTarget {
 public:
  virtual ~PathTarget() = default;
  /// Marks a private Service. Saying the same again does no harm.
  [[nodiscard]] virtual Task<Result<>> mark_path(std::string name_space, std::string service,
                                                 bool direct) = 0;
};

/// Carries marks to the PathTarget, as PathMarks decides, one at a time. One shard.
class PathTeller {
 public:
  PathTeller(Clock& clock, PathTarget& target, std::mt19937_64& random)
      : clock_(clock), target_(target), random_(random), timer_(clock.make_timer()) {}

  void want(const wire::RevisionKey& revision, bool direct);
  void forget(const wire::RevisionKey& revision) { marks_.forget(revision); }
  void seen(const wire::RevisionKey& revision, const std::string& service, bool direct);
  void gone(const wire::RevisionKey& revision) { marks_.gone(revision); }
  [[nodiscard]] bool shown(const wire::RevisionKey& revision) const {
    return marks_.shown(revision);
  }

  /// Works until close(). Spawn it once.
  [[nodiscard]] Task<> run();
  void close() noexcept;

  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return marks_.waiting(); }
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  Clock& clock_;
  PathTarget& target_;
  std::mt19937_64& random_;
  PathMarks marks_;
  std::unique_ptr<Timer> timer_;
  std::uint64_t taken_ = 0;
  std::uint64_t failed_ = 0;
  bool busy_ = false;  // one is on its way
  bool closed_ = false;
};

}  // namespace pilotlight::autoscaler
