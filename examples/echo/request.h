#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pilotlight::echo {

/// The head of one HTTP/1 request, as far as an example app needs it.
struct Request {
  std::string method;
  std::string path;
  std::map<std::string, std::string> query;  ///< Not percent-decoded.
  std::vector<std::pair<std::string, std::string>> headers;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;

  /// The value of `?name=` as a number up to `max`; `fallback` when absent or not a number.
  [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t fallback,
                                     std::uint64_t max) const;
};

/// Parses a head including its empty line. Nothing for one that this server cannot read.
[[nodiscard]] std::optional<Request> parse_request(std::string_view head);

/// Counts the bytes of a request body and finds its end. Keeps no byte of it.
class BodyCounter {
 public:
  BodyCounter() = default;
  explicit BodyCounter(const Request& request);

  /// Eats what belongs to the body from `bytes`. @return how many; `bad()` after broken chunks.
  std::size_t consume(std::string_view bytes);

  [[nodiscard]] bool complete() const noexcept { return step_ == Step::done; }
  [[nodiscard]] bool bad() const noexcept { return step_ == Step::bad; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  enum class Step { plain, size_line, data, data_end, trailer, done, bad };
  std::size_t consume_data(std::string_view bytes);
  std::size_t consume_line(std::string_view bytes);
  void end_line();

  Step step_ = Step::done;
  std::uint64_t left_ = 0;
  std::uint64_t bytes_ = 0;
  std::string line_;
};

}  // namespace pilotlight::echo
