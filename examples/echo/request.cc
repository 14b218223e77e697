#include "examples/echo/request.h"

#include <algorithm>
#include <charconv>

#include <strings.h>

namespace pilotlight::echo {
namespace {

bool same(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// The next line of `text` without its CRLF; `text` moves past it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

bool parse_number(std::string_view text, std::uint64_t& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

void parse_target(std::string_view target, Request& request) {
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    request.query.insert_or_assign(std::string(pair.substr(0, equals)), std::string(value));
  }
}

bool parse_header(std::string_view line, Request& request) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  request.headers.emplace_back(name, value);
  if (same(name, "content-length")) return parse_number(value, request.content_length);
  if (same(name, "transfer-encoding")) request.chunked = same(value, "chunked");
  if (same(name, "expect")) request.expects_continue = same(value, "100-continue");
  if (same(name, "connection")) {
    if (same(value, "close")) request.keep_alive = false;
    if (same(value, "keep-alive")) request.keep_alive = true;
  }
  return true;
}

}  // namespace

std::uint64_t Request::number(const std::string& name, std::uint64_t fallback,
                              std::uint64_t max) const {
  const auto found = query.find(name);
  std::uint64_t value = 0;
  if (found == query.end() || !parse_number(found->second, value)) return fallback;
  return std::min(value, max);
}

std::optional<Request> parse_request(std::string_view head) {
  Request request;
  const std::string_view line = take_line(head);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
  request.http_1_0 = version == "HTTP/1.0";
  request.keep_alive = !request.http_1_0;
  request.method = line.substr(0, first);
  parse_target(line.substr(first + 1, last - first - 1), request);
  while (!head.empty()) {
    const std::string_view header = take_line(head);
    if (header.empty()) return request;
    if (!parse_header(header, request)) return std::nullopt;
  }
  return std::nullopt;
}

BodyCounter::BodyCounter(const Request& request) {
  if (request.chunked) {
    step_ = Step::size_line;
  } else if (request.content_length != 0) {
    step_ = Step::plain;
    left_ = request.content_length;
  }
}

std::size_t BodyCounter::consume(std::string_view bytes) {
  std::size_t eaten = 0;
  while (eaten < bytes.size() && !complete() && !bad()) {
    const std::string_view rest = bytes.substr(eaten);
    const bool data = step_ == Step::plain || step_ == Step::data;
    eaten += data ? consume_data(rest) : consume_line(rest);
  }
  return eaten;
}

std::size_t BodyCounter::consume_data(std::string_view bytes) {
  const std::size_t n = std::min<std::uint64_t>(left_, bytes.size());
  left_ -= n;
  bytes_ += n;
  if (left_ == 0) step_ = step_ == Step::plain ? Step::done : Step::data_end;
  return n;
}

std::size_t BodyCounter::consume_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::size_t n = end == std::string_view::npos ? bytes.size() : end + 1;
  line_.append(bytes.substr(0, n));
  if (line_.size() > 4096) {
    step_ = Step::bad;
  } else if (end != std::string_view::npos) {
    end_line();
  }
  return n;
}

void BodyCounter::end_line() {
  std::string_view line = line_;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (step_ == Step::data_end) {
    step_ = line.empty() ? Step::size_line : Step::bad;
  } else if (step_ == Step::trailer) {
    if (line.empty()) step_ = Step::done;
  } else {
    const bool good = parse_number(trimmed(line.substr(0, line.find(';'))), left_, 16);
    step_ = !good ? Step::bad : left_ == 0 ? Step::trailer : Step::data;
  }
  line_.clear();
}

}  // namespace pilotlight::echo
