#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>

#include "common/base/task.h"

namespace pilotlight::http {

/// Blocks of 64 KiB that the connections of one shard share: taken while a message does not fit a
/// connection's own small block, given back when it is through. So an idle connection is small, and
/// long bodies allocate nothing once warm. Keeps at most kKept blocks. Outlives every ReadBuffer.
class BlockPool {
 public:
  using Block = std::unique_ptr<char[]>;
  static constexpr std::size_t kBlock = 64 * 1024;
  static constexpr std::size_t kKept = 64;

  BlockPool() { blocks_.reserve(kKept); }

  [[nodiscard]] Block take() {
    if (blocks_.empty()) return std::make_unique_for_overwrite<char[]>(kBlock);
    Block last = std::move(blocks_.back());
    blocks_.pop_back();
    return last;
  }
  void give(Block block) noexcept {
    if (blocks_.size() < kKept) blocks_.push_back(std::move(block));
  }

 private:
  std::vector<Block> blocks_;
};

/// Bytes read from one connection and not yet dealt with: a window over a small block of its own,
/// or over a large one of the pool from when a message turns out to be long until rest().
///
/// Views into it stay valid until the next prepare() or rest().
class ReadBuffer {
 public:
  static constexpr std::size_t kSmall = 2 * 1024;
  static constexpr std::size_t kLimit = BlockPool::kBlock;

  explicit ReadBuffer(BlockPool& pool) noexcept : pool_(pool) {}
  ~ReadBuffer() { give_back(); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  [[nodiscard]] std::string_view view() const noexcept {
    return std::string_view(data_ + begin_, end_ - begin_);
  }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool full() const noexcept { return size() == kLimit; }

  /// Room to read into; empty only when full(). Invalidates views if it had to move bytes.
  [[nodiscard]] asio::mutable_buffer prepare() {
    if (begin_ == end_) begin_ = end_ = 0;
    const bool no_room = end_ == capacity();
    if (!large_ && (long_ || (no_room && begin_ == 0))) {
      enlarge();
    } else if (no_room && begin_ > 0) {
      std::memmove(data_, data_ + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    return asio::buffer(data_ + end_, capacity() - end_);
  }

  void commit(std::size_t n) noexcept {
    long_ = n >= capacity() - end_ || n > kSmall;
    end_ += n;
  }
  void consume(std::size_t n) noexcept { begin_ += n; }

  /// Nothing is under way: gives a large block back, unless bytes wait in it.
  void rest() noexcept {
    if (!large_ || !empty()) return;
    give_back();
    begin_ = end_ = 0;
  }
  /// Forgets that messages were long: the next read starts small.
  void expect_short() noexcept { long_ = false; }

 private:
  [[nodiscard]] std::size_t capacity() const noexcept { return large_ ? kLimit : kSmall; }

  void enlarge() {
    large_ = pool_.take();
    std::memcpy(large_.get(), data_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
    data_ = large_.get();
  }
  void give_back() noexcept {
    if (!large_) return;
    pool_.give(std::move(large_));
    data_ = small_.data();
  }

  BlockPool& pool_;
  BlockPool::Block large_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool long_ = false;  // the last read filled its room: more of the same is likely
  std::array<char, kSmall> small_;
  char* data_ = small_.data();
};

}  // namespace pilotlight::http
