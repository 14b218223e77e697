#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pilotlight::bench {

/// Finds where each HTTP/1.1 message of a byte stream ends. Framing only, bodies are counted and
/// dropped; written for the tools so that they do not change when the product's parser does.
class MessageReader {
 public:
  enum class Kind { request, answer };

  explicit MessageReader(Kind kind) : kind_(kind) {}

  /// Takes bytes up to the end of this message; returns how many.
  std::size_t feed(std::string_view bytes);
  /// The peer has sent its FIN: ends a message whose length nothing else says.
  void end_of_stream();
  /// Forgets this message; the next bytes begin another one.
  void next();

  [[nodiscard]] bool begun() const noexcept { return step_ != Step::head || !head_.empty(); }
  [[nodiscard]] bool complete() const noexcept { return step_ == Step::complete; }
  [[nodiscard]] bool failed() const noexcept { return step_ == Step::failed; }
  [[nodiscard]] int status() const noexcept { return status_; }   ///< of an answer
  [[nodiscard]] std::string_view path() const noexcept;           ///< of a request
  [[nodiscard]] bool closes() const noexcept { return closes_; }  ///< `Connection: close`
  [[nodiscard]] std::uint64_t body_bytes() const noexcept { return body_bytes_; }

 private:
  enum class Step {
    head,
    length,
    chunk_line,
    chunk_data,
    chunk_end,
    trailer,
    until_end,
    complete,
    failed
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_line(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void read_head();
  void read_field(std::string_view line);
  void on_line();

  Kind kind_;
  Step step_ = Step::head;
  std::string head_;
  std::string line_;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::uint64_t body_bytes_ = 0;
  int status_ = 0;
  bool closes_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
};

}  // namespace pilotlight::bench
