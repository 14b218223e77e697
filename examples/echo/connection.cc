#include "examples/echo/connection.h"

#include <algorithm>
#include <cerrno>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pilotlight::echo {
namespace {

constexpr std::size_t kHeadLimit = 64 * 1024;
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kOrderLimit = 10'000;
constexpr std::uint64_t kLongestSleepMs = 3'600'000;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;

}  // namespace

Connection::~Connection() {
  if (counted_) end_request(false);
  close(fd_);
}

bool Connection::on_ready(std::uint32_t events) {
  if ((events & EPOLLIN) != 0 && wants_read() && !receive()) return false;
  // Whoever closes its side while its request runs does not want the answer any more.
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && (counted_ || in_.empty())) return false;
  return advance();
}

bool Connection::on_due() {
  due_us_ = 0;
  if (phase_ == Phase::work) {
    begin_answer();
  } else if (phase_ == Phase::stream) {
    next_chunk();
  }
  return advance();
}

bool Connection::receive() {
  char buffer[kPiece];
  for (;;) {
    const ssize_t n = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    in_.append(buffer, static_cast<std::size_t>(n));
    if (phase_ == Phase::body) take_body();
    if (in_.size() > 2 * kHeadLimit) return true;  // more than it can use now: let TCP hold it
  }
}

bool Connection::advance() {
  for (;;) {
    if (!flush()) return false;
    switch (phase_) {
      case Phase::head:
        if (!take_head()) return false;
        if (phase_ == Phase::head) return true;
        break;
      case Phase::body:
        take_body();
        if (body_.bad()) return false;
        if (!body_.complete()) return true;
        begin_work();
        break;
      case Phase::write:
        if (wants_write()) return true;
        end_request(true);
        if (last_ || !exchange_.request.keep_alive) return false;
        break;
      case Phase::work:
      case Phase::stream: return true;
    }
  }
}

bool Connection::take_head() {
  const std::size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return in_.size() <= kHeadLimit;
  auto request = parse_request(std::string_view(in_).substr(0, end + 4));
  if (!request) return false;
  in_.erase(0, end + 4);
  exchange_ = Exchange();
  exchange_.request = std::move(*request);
  exchange_.received_us = monotonic_us();
  body_ = BodyCounter(exchange_.request);
  if (exchange_.request.path != "/stats") {
    counted_ = true;
    ++stats_.in_flight;
    stats_.max_in_flight = std::max(stats_.max_in_flight, stats_.in_flight);
    exchange_.violation = options_.limit && stats_.in_flight > *options_.limit;
    if (exchange_.violation) ++stats_.violations;
    const auto id = exchange_.request.query.find("id");
    if (id != exchange_.request.query.end()) stats_.order.push_back(id->second);
    if (stats_.order.size() > kOrderLimit) stats_.order.pop_front();
  }
  if (exchange_.request.expects_continue) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  phase_ = Phase::body;
  return true;
}

void Connection::take_body() {
  in_.erase(0, body_.consume(in_));
  exchange_.body_bytes = body_.bytes();
}

void Connection::begin_work() {
  phase_ = Phase::work;
  const std::uint64_t ms = exchange_.request.number("sleep", 0, kLongestSleepMs);
  if (ms == 0 || exchange_.violation) return begin_answer();
  due_us_ = monotonic_us() + static_cast<std::int64_t>(ms) * 1000;
}

void Connection::begin_answer() {
  const Request& request = exchange_.request;
  stats_.body_bytes += exchange_.body_bytes;
  auto status = static_cast<unsigned>(request.number("status", 200, 599));
  phase_ = Phase::write;
  std::string text;
  if (exchange_.violation) {
    status = 500;
    text = "limit exceeded\n";
  } else if (request.path == "/stats") {
    text = describe(stats_, options_);
  } else if (request.query.contains("chunks")) {
    chunks_left_ = request.number("chunks", 0, kMostBytes);
    out_ += answer_head(exchange_, stats_, status, "text/plain", std::nullopt);
    phase_ = Phase::stream;
    return next_chunk();
  } else if (request.query.contains("bytes")) {
    const std::uint64_t n = request.number("bytes", 0, kMostBytes);
    out_ += answer_head(exchange_, stats_, status, "application/octet-stream", n);
    left_to_make_ = request.method == "HEAD" ? 0 : n;
    return;
  } else {
    text = describe(exchange_, stats_);
  }
  const char* type = exchange_.violation ? "text/plain" : "application/json";
  out_ += answer_head(exchange_, stats_, status, type, text.size());
  if (request.method != "HEAD") out_ += text;
}

void Connection::next_chunk() {
  const bool framed = !exchange_.request.http_1_0;
  if (chunks_left_ == 0) {
    if (framed)
      out_ += "0\r\n\r\n";
    else
      exchange_.request.keep_alive = false;
    phase_ = Phase::write;
    return;
  }
  const std::uint64_t every_ms = exchange_.request.number("every", 0, kLongestSleepMs);
  due_us_ = monotonic_us() + static_cast<std::int64_t>(every_ms) * 1000 + 1;
  if (out_.size() > kPiece) return;  // a slow reader gets its chunks later
  --chunks_left_;
  const std::string text = "chunk " + std::to_string(monotonic_us()) + "\n";
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  out_ += framed ? size + text + "\r\n" : text;
}

bool Connection::flush() {
  for (;;) {
    if (out_.size() < kPiece && left_to_make_ != 0) {
      const std::uint64_t n = std::min<std::uint64_t>(left_to_make_, kPiece);
      out_.append(n, 'x');
      left_to_make_ -= n;
    }
    if (out_.empty()) return true;
    const ssize_t n = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    out_.erase(0, static_cast<std::size_t>(n));
  }
}

void Connection::end_request(bool whole) {
  phase_ = Phase::head;
  if (!counted_) return;
  counted_ = false;
  --stats_.in_flight;
  ++(whole ? stats_.served : stats_.dropped);
}

}  // namespace pilotlight::echo
