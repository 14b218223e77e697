#include "local/log_pump.h"

#include <array>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "common/base/error.h"

namespace pilotlight::local {

LogPump::LogPump(Executor executor, std::filesystem::path path)
    : file_(std::move(path)), reader_(executor) {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // only our end: a program may expect a blocking stdout
  reader_.assign(ends[0]);
  write_fd_ = ends[1];
}

LogPump::~LogPump() {
  if (write_fd_ >= 0) ::close(write_fd_);
}

Task<> LogPump::run() {
  while (reader_.is_open()) {
    const auto [ec] =
        co_await reader_.async_wait(asio::posix::descriptor_base::wait_read, use_tuple);
    if (ec) co_return;
    drain();
  }
}

void LogPump::drain() {
  if (!reader_.is_open()) return;
  std::array<char, 16384> buffer;
  // At most 1 MiB at a time: a process that never stops writing must not hold the shard.
  for (int rounds = 0; rounds < 64; ++rounds) {
    const ssize_t n = read(reader_.native_handle(), buffer.data(), buffer.size());
    if (n <= 0) return;
    file_.append(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  }
}

void LogPump::close() {
  drain();
  ErrorCode ignored;
  reader_.close(ignored);
}

}  // namespace pilotlight::local
