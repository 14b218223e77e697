#pragma once

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/base/task.h"

namespace pilotlight::http {

/// Bytes read from one connection and not yet dealt with: a window over one block that is reused
/// for the life of the connection. Starts at 16 KiB, grows by doubling to `limit` only for a
/// message head (or an early body) that does not fit; never shrinks.
///
/// Views into it stay valid until the next prepare() or compact().
class ReadBuffer {
 public:
  static constexpr std::size_t kInitial = 16 * 1024;
  static constexpr std::size_t kLimit = 64 * 1024;

  ReadBuffer() : block_(kInitial) {}

  [[nodiscard]] std::string_view view() const noexcept {
    return std::string_view(block_.data() + begin_, end_ - begin_);
  }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool full() const noexcept { return size() == kLimit; }

  /// Room to read into; empty only when full(). Invalidates views if it had to move bytes.
  [[nodiscard]] asio::mutable_buffer prepare() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == block_.size() && begin_ > 0) {
      std::memmove(block_.data(), block_.data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == block_.size() && block_.size() < kLimit) block_.resize(block_.size() * 2);
    return asio::buffer(block_.data() + end_, block_.size() - end_);
  }

  void commit(std::size_t n) noexcept { end_ += n; }
  void consume(std::size_t n) noexcept { begin_ += n; }

 private:
  std::vector<char> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pilotlight::http
