#include "common/base/line_sink.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace pilotlight {
namespace {

/// A descriptor that says it has room takes this much without blocking (POSIX: PIPE_BUF).
constexpr std::size_t kPieceMax = 4096;
constexpr int kPollMs = 100;    // how soon a stuck writer sees that it has to end
constexpr int kLastPolls = 10;  // so one second for the rest

}  // namespace

LineSink::LineSink(int descriptor) : descriptor_(descriptor), writer_([this] { run(); }) {}

LineSink::~LineSink() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  hurry_.store(true, std::memory_order_relaxed);
  changed_.notify_one();
  writer_.join();
}

bool LineSink::offer(std::string_view line) {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.size() + line.size() + 1 > kBytesMax) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    pending_ += line;
    pending_ += '\n';
  }
  changed_.notify_one();
  return true;
}

void LineSink::run() {
  // A reader that is gone is an error of write(), not the end of the process.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  std::string writing;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return closing_ || !pending_.empty(); });
      if (pending_.empty()) return;
      writing.clear();
      writing.swap(pending_);
    }
    if (!write_all(writing)) return;
  }
}

bool LineSink::write_all(std::string_view bytes) {
  int polls_left = kLastPolls;
  while (!bytes.empty()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    const int found = poll(&ready, 1, kPollMs);
    if (found == 0 || (found < 0 && errno == EINTR)) {
      if (hurry_.load(std::memory_order_relaxed) && --polls_left == 0) return false;
      continue;
    }
    std::size_t piece = std::min(bytes.size(), kPieceMax);
    const std::size_t line_end = bytes.rfind('\n', piece - 1);
    if (line_end != std::string_view::npos) piece = line_end + 1;
    const ssize_t n = write(descriptor_, bytes.data(), piece);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return true;  // nobody there: these are lost
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  }
  return true;
}

}  // namespace pilotlight
