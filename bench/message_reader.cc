#include "bench/message_reader.h"

#include <algorithm>
#include <charconv>

#include <strings.h>

namespace pilotlight::bench {
namespace {

constexpr std::size_t kMostHeadBytes = 64 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

template <class T>
bool parse(std::string_view text, T& value, int base) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return ec == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::size_t MessageReader::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !complete() && !failed()) {
    const std::string_view rest = bytes.substr(taken);
    switch (step_) {
      case Step::head: taken += feed_head(rest); break;
      case Step::length:
      case Step::chunk_data:
      case Step::until_end: taken += feed_body(rest); break;
      default: taken += feed_line(rest);
    }
  }
  return taken;
}

void MessageReader::end_of_stream() {
  step_ = step_ == Step::until_end ? Step::complete : Step::failed;
}

void MessageReader::next() {
  step_ = Step::head;
  head_.clear();
  line_.clear();
  left_ = body_bytes_ = 0;
  status_ = 0;
  closes_ = chunked_ = has_length_ = false;
}

std::string_view MessageReader::path() const noexcept {
  const std::string_view line = std::string_view(head_).substr(0, head_.find('\r'));
  const std::size_t begin = line.find(' ');
  if (begin == std::string_view::npos) return {};
  return line.substr(begin + 1, line.find(' ', begin + 1) - begin - 1);
}

std::size_t MessageReader::feed_head(std::string_view bytes) {
  const std::size_t before = head_.size();
  head_.append(bytes);
  const std::size_t from = before < kHeadEnd.size() ? 0 : before - kHeadEnd.size() + 1;
  const std::size_t end = head_.find(kHeadEnd, from);
  if (end == std::string::npos) {
    if (head_.size() > kMostHeadBytes) step_ = Step::failed;
    return bytes.size();
  }
  head_.resize(end + kHeadEnd.size());
  const std::size_t taken = head_.size() - before;
  read_head();
  return taken;
}

void MessageReader::read_head() {
  const std::string_view head = head_;
  if (kind_ == Kind::answer) {
    // "HTTP/1.1 200": the three digits are at a fixed place.
    if (head.size() < 12 || !parse(head.substr(9, 3), status_, 10)) {
      step_ = Step::failed;
      return;
    }
    if (status_ < 200) return next();
  }
  for (std::size_t at = head.find('\n') + 1; at + 2 < head.size();) {
    const std::size_t end = head.find('\n', at);
    read_field(head.substr(at, end - at));
    at = end + 1;
  }
  if (failed()) return;
  if (chunked_) {
    step_ = Step::chunk_line;
  } else if (has_length_) {
    step_ = left_ == 0 ? Step::complete : Step::length;
  } else {
    const bool no_body = kind_ == Kind::request || status_ == 204 || status_ == 304;
    step_ = no_body ? Step::complete : Step::until_end;
  }
}

void MessageReader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same(name, "content-length")) {
    has_length_ = true;
    if (!parse(value, left_, 10)) step_ = Step::failed;
  } else if (same(name, "transfer-encoding")) {
    chunked_ = same(value, "chunked");
  } else if (same(name, "connection")) {
    closes_ = same(value, "close");
  }
}

std::size_t MessageReader::feed_body(std::string_view bytes) {
  if (step_ == Step::until_end) {
    body_bytes_ += bytes.size();
    return bytes.size();
  }
  const std::uint64_t taken = std::min<std::uint64_t>(left_, bytes.size());
  left_ -= taken;
  body_bytes_ += taken;
  if (left_ == 0) step_ = step_ == Step::length ? Step::complete : Step::chunk_end;
  return static_cast<std::size_t>(taken);
}

std::size_t MessageReader::feed_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  line_.append(bytes.substr(0, end));
  if (line_.size() > kMostHeadBytes) step_ = Step::failed;
  if (end == std::string_view::npos) return bytes.size();
  on_line();
  line_.clear();
  return end + 1;
}

void MessageReader::on_line() {
  const std::string_view line = trimmed(line_);
  if (step_ == Step::chunk_end) {
    step_ = line.empty() ? Step::chunk_line : Step::failed;
  } else if (step_ == Step::trailer) {
    if (line.empty()) step_ = Step::complete;
  } else if (!parse(line.substr(0, line.find(';')), left_, 16)) {
    step_ = Step::failed;
  } else {
    step_ = left_ == 0 ? Step::trailer : Step::chunk_data;
  }
}

}  // namespace pilotlight::bench
