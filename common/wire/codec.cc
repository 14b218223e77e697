#include "common/wire/codec.h"

#include <limits>
#include <string>
#include <utility>

#include "common/wire/layout.h"
#include "common/wire/utf8.h"

namespace pilotlight::wire {
namespace {

class DecodeCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "wire"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<DecodeError>(value)) {
      case DecodeError::truncated: return "the frame is cut short";
      case DecodeError::oversized: return "the frame is larger than 64 KiB";
      case DecodeError::length: return "more bytes than the header announces";
      case DecodeError::short_payload: return "the payload ends inside a field";
      case DecodeError::bad_magic: return "HELLO does not begin with the magic";
      case DecodeError::bad_value: return "a field has a value that does not exist";
      case DecodeError::bad_utf8: return "a string is not UTF-8";
      case DecodeError::unknown_type: return "a frame type of another version";
    }
    return "unknown wire error";
  }
};

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  void magic(std::uint32_t value) { integer(value); }

  template <class T>
  void integer(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out_.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
    }
  }
  template <class E>
  void open(E value) {
    integer(static_cast<std::underlying_type_t<E>>(value));
  }
  template <class E>
  void closed(E value, int /*least*/, int /*most*/) {
    open(value);
  }
  void flag(bool value) { integer(static_cast<std::uint8_t>(value ? 1 : 0)); }
  void text(const std::string& value) {
    if (!count(value.size())) return;
    const auto bytes = std::as_bytes(std::span(value));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  /// A field that not every sender knows, last in its payload: absent while there is nothing to
  /// say.
  void tail(std::uint64_t value) {
    if (value != 0) integer(value);
  }
  void tail(const std::string& value) {
    if (!value.empty()) text(value);
  }
  template <class T, class Each>
  void list(const std::vector<T>& values, Each each) {
    if (!count(values.size())) return;
    for (const T& value : values) each(*this, value);
  }

  [[nodiscard]] bool fits() const noexcept { return fits_; }

 private:
  bool count(std::size_t n) {
    if (n > std::numeric_limits<std::uint16_t>::max()) {
      fits_ = false;
      return false;
    }
    integer(static_cast<std::uint16_t>(n));
    return true;
  }

  Bytes& out_;
  bool fits_ = true;
};

/// Reads until the first mistake; after it every field stays as it was.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}

  void magic(std::uint32_t expected) {
    std::uint32_t value = 0;
    integer(value);
    if (value != expected) fail(DecodeError::bad_magic);
  }

  template <class T>
  void integer(T& value) {
    const auto bytes = take(sizeof(T));
    if (failed_) return;
    T read = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      read = static_cast<T>(read | static_cast<T>(std::to_integer<T>(bytes[i]) << (8 * i)));
    }
    value = read;
  }
  template <class E>
  void open(E& value) {
    std::underlying_type_t<E> number = 0;
    integer(number);
    if (!failed_) value = static_cast<E>(number);
  }
  template <class E>
  void closed(E& value, int least, int most) {
    std::underlying_type_t<E> number = 0;
    integer(number);
    if (!failed_ && (number < least || number > most)) fail(DecodeError::bad_value);
    if (!failed_) value = static_cast<E>(number);
  }
  void flag(bool& value) {
    std::uint8_t number = 0;
    integer(number);
    if (!failed_ && number > 1) fail(DecodeError::bad_value);
    if (!failed_) value = number == 1;
  }
  void text(std::string& value) {
    std::uint16_t length = 0;
    integer(length);
    const auto bytes = take(length);
    if (failed_) return;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are chars
    std::string read(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!is_utf8(read)) return fail(DecodeError::bad_utf8);
    value = std::move(read);
  }
  void tail(std::uint64_t& value) {
    if (!in_.empty()) integer(value);
  }
  void tail(std::string& value) {
    if (!in_.empty()) text(value);
  }
  template <class T, class Each>
  void list(std::vector<T>& values, Each each) {
    std::uint16_t n = 0;
    integer(n);
    // Grows as entries arrive: a lying count must not reserve memory.
    for (std::uint16_t i = 0; i < n && !failed_; ++i) each(*this, values.emplace_back());
  }

  [[nodiscard]] ErrorCode error() const noexcept {
    return failed_ ? make_error_code(*failed_) : ErrorCode();
  }

 private:
  void fail(DecodeError why) {
    if (!failed_) failed_ = why;
  }
  std::span<const std::byte> take(std::size_t n) {
    if (n > in_.size()) fail(DecodeError::short_payload);
    if (failed_) return {};
    const auto taken = in_.first(n);
    in_ = in_.subspan(n);
    return taken;
  }

  std::span<const std::byte> in_;
  std::optional<DecodeError> failed_;
};

template <class T>
Result<Frame> read(std::span<const std::byte> payload) {
  T frame;
  Reader reader(payload);
  layout(reader, frame);
  if (const ErrorCode error = reader.error()) return error;
  return Frame(std::move(frame));
}

struct Header {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
};

/// `bytes` has at least kHeaderSize.
Header read_header(std::span<const std::byte> bytes) {
  Header header;
  Reader reader(bytes);
  reader.integer(header.length);
  reader.integer(header.type);
  return header;
}

}  // namespace

ErrorCode make_error_code(DecodeError error) noexcept {
  static const DecodeCategory category;
  return {static_cast<int>(error), category};
}

Result<Bytes> encode(const Frame& frame) {
  Bytes out(kHeaderSize);
  Writer writer(out);
  std::visit([&writer](const auto& f) { layout(writer, f); }, frame);
  const std::size_t length = out.size() - kHeaderSize;
  if (!writer.fits() || length > kMaxPayload) return make_error_code(DecodeError::oversized);
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>((length >> (8 * i)) & 0xff);
  out[4] = static_cast<std::byte>(type_of(frame));
  return out;
}

Result<Frame> decode(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderSize) return make_error_code(DecodeError::truncated);
  const Header header = read_header(bytes);
  if (header.length > kMaxPayload) return make_error_code(DecodeError::oversized);
  const auto payload = bytes.subspan(kHeaderSize);
  if (payload.size() < header.length) return make_error_code(DecodeError::truncated);
  if (payload.size() > header.length) return make_error_code(DecodeError::length);
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::hello: return read<Hello>(payload);
    case FrameType::welcome: return read<Welcome>(payload);
    case FrameType::stats: return read<Stats>(payload);
    case FrameType::history: return read<History>(payload);
    case FrameType::history_end: return read<HistoryEnd>(payload);
    case FrameType::poke: return read<Poke>(payload);
    case FrameType::ready: return read<Ready>(payload);
    case FrameType::not_ready: return read<NotReady>(payload);
    case FrameType::endpoints: return read<Endpoints>(payload);
    case FrameType::drain: return read<Drain>(payload);
    case FrameType::drained: return read<Drained>(payload);
    case FrameType::ping: return read<Ping>(payload);
    case FrameType::pong: return read<Pong>(payload);
    case FrameType::goaway: return read<Goaway>(payload);
    case FrameType::error: return read<Error>(payload);
    case FrameType::checkpoint: return read<Checkpoint>(payload);
    case FrameType::woken: return read<Woken>(payload);
    case FrameType::lease:
    case FrameType::lease_return: break;
  }
  return make_error_code(DecodeError::unknown_type);
}

void FrameReader::feed(std::span<const std::byte> bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
  if (!failed_) buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> FrameReader::next() {
  while (!failed_) {
    const auto rest = std::span<const std::byte>(buffer_).subspan(begin_);
    if (rest.size() < kHeaderSize) return std::optional<Frame>();
    const std::size_t length = read_header(rest).length;
    if (length <= kMaxPayload && rest.size() < kHeaderSize + length) return std::optional<Frame>();
    // A length beyond the limit is refused before anything is waited for.
    const std::size_t size = length > kMaxPayload ? rest.size() : kHeaderSize + length;
    Result<Frame> frame = decode(rest.first(size));
    begin_ += size;
    if (frame.has_value()) return std::optional<Frame>(std::move(*frame));
    if (frame.error() == make_error_code(DecodeError::unknown_type)) {
      ++skipped_;
    } else {
      failed_ = frame.error();
    }
  }
  return failed_;
}

}  // namespace pilotlight::wire
