#include "common/http/body.h"

#include <algorithm>

#include "common/http/head_grammar.h"

namespace pilotlight::http {
namespace {

/// Extensions and trailers together: more than this is an attack, not a message.
constexpr std::uint32_t kLineBytesMax = 16 * 1024;

/// As many as 64 bits have: a peer that keeps fewer bits must not see another size.
constexpr std::uint8_t kSizeDigitsMax = 16;

/// Trailers that would move the end of the message, or its addressee, for whoever merges them.
bool forbidden_trailer(std::string_view name) noexcept {
  return same_name(name, "content-length") || same_name(name, "transfer-encoding") ||
         same_name(name, "host");
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::size_t> BodyScanner::scan(std::string_view bytes) noexcept {
  if (framing_ == Framing::length) {
    const std::uint64_t taken = std::min<std::uint64_t>(left_, bytes.size());
    left_ -= taken;
    done_ = left_ == 0;
    return static_cast<std::size_t>(taken);
  }
  std::size_t taken = 0;
  while (taken < bytes.size() && !done_) {
    std::string_view payload;
    const Result<std::size_t> n = scan_payload(bytes.substr(taken), payload);
    if (!n) return n.error();
    taken += *n;
  }
  return taken;
}

Result<std::size_t> BodyScanner::scan_payload(std::string_view bytes,
                                              std::string_view& payload) noexcept {
  payload = std::string_view();
  if (done_) return std::size_t{0};
  if (framing_ == Framing::until_close) {
    payload = bytes;
    payload_ += payload.size();
    return bytes.size();
  }
  if (framing_ == Framing::length) {
    payload =
        bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
    left_ -= payload.size();
    done_ = left_ == 0;
    return payload.size();
  }
  std::size_t taken = 0;
  while (taken < bytes.size() && !done_) {
    if (state_ == State::data) {
      payload = bytes.substr(taken);
      payload = payload.substr(
          0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, payload.size())));
      left_ -= payload.size();
      payload_ += payload.size();
      if (left_ == 0) state_ = State::data_cr;
      return taken + payload.size();
    }
    const Result<> stepped = step(bytes[taken]);
    if (!stepped) return stepped.error();
    ++taken;
  }
  return taken;
}

Result<> BodyScanner::size_digit(char c) noexcept {
  const int digit = hex_digit(c);
  if (digit < 0) return FlowError::bad_message;
  if (++digits_ > kSizeDigitsMax) return FlowError::bad_message;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
  return {};
}

Result<> BodyScanner::size_ended(char c) noexcept {
  if (c == ';') {
    state_ = State::extension;
  } else if (c == '\r') {
    state_ = State::size_lf;
  } else {
    state_ = State::size;
    return size_digit(c);
  }
  return {};
}

/// A byte of an extension or of a trailer's value; CR goes on to `behind`.
Result<> BodyScanner::text(char c, State behind) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\r') {
    state_ = behind;
  } else if ((byte < ' ' && c != '\t') || byte == 0x7f || ++line_ > kLineBytesMax) {
    return FlowError::bad_message;
  }
  return {};
}

Result<> BodyScanner::trailer_name(char c) noexcept {
  if (c == ':') {
    const std::string_view name(name_.data(), std::min<std::size_t>(name_size_, name_.size()));
    if (name_size_ == 0 || forbidden_trailer(name)) return FlowError::bad_message;
    name_size_ = 0;
    state_ = State::trailer;
    return {};
  }
  if (!is_token(std::string_view(&c, 1)) || ++line_ > kLineBytesMax) return FlowError::bad_message;
  if (name_size_ < name_.size()) name_[name_size_++] = c;
  return {};
}

Result<> BodyScanner::step(char c) noexcept {
  const auto expect = [&](char wanted, State next) -> Result<> {
    if (c != wanted) return FlowError::bad_message;
    state_ = next;
    return {};
  };
  switch (state_) {
    case State::size_first:
      left_ = 0;
      digits_ = 0;
      state_ = State::size;
      return size_digit(c);
    case State::size: return size_ended(c);
    case State::extension: return text(c, State::size_lf);
    case State::size_lf: return expect('\n', left_ == 0 ? State::trailer_start : State::data);
    case State::data: return {};  // scan_payload() deals with it
    case State::data_cr: return expect('\r', State::data_lf);
    case State::data_lf: return expect('\n', State::size_first);
    case State::trailer_start:
      if (c != '\r') {
        state_ = State::trailer_name;
        return trailer_name(c);
      }
      state_ = State::final_lf;
      return {};
    case State::trailer_name: return trailer_name(c);
    case State::trailer: return text(c, State::trailer_lf);
    case State::trailer_lf: return expect('\n', State::trailer_start);
    case State::final_lf:
      if (c != '\n') return FlowError::bad_message;
      done_ = true;
      return {};
  }
  return FlowError::bad_message;
}

}  // namespace pilotlight::http
