// Feeds arbitrary bytes to the HTTP/1.1 head parser, the body scanner and the head rewriter.
//
// Beyond "does not crash": views stay within the input, a head is accepted the same whether it
// comes whole or grows, and parsed when its last byte has come, what is forwarded parses again to
// the same request, and a body's end does not depend on how its pieces were cut.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "common/http/body.h"
#include "common/http/forwarding.h"
#include "common/http/head_parser.h"
#include "common/http/head_pieces.h"

namespace {

using namespace pilotlight;
using namespace pilotlight::http;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string flat(const OutgoingHead& out) { return out.rest(0); }

void check_fields(const Head& head) {
  for (const Field& field : head.fields) {
    require(field.begin < field.end && field.end <= head.text.size());
    require(head.text.substr(field.end - 2, 2) == "\r\n");
  }
}

void check_body(const Head& head, std::string_view bytes) {
  BodyScanner whole(head);
  const auto taken = whole.scan(bytes);
  BodyScanner pieces(head);
  std::size_t at = 0;
  bool failed = false;
  while (at < bytes.size() && !pieces.done() && !failed) {
    const auto n = pieces.scan(bytes.substr(at, 1));
    failed = !n;
    if (n) at += *n;
  }
  require(failed == !taken);
  if (!taken) return;
  require(at == *taken && pieces.done() == whole.done());
  require(head.framing != Framing::length || *taken <= head.content_length);
}

/// What our grammar accepts, Beast's accepts as well, and reads the same: ours may only be
/// stricter.
template <bool isRequest>
void check_against_beast(const Head& head, std::string_view first, std::string_view second) {
  namespace beast = boost::beast;
  beast::http::parser<isRequest, beast::http::empty_body> theirs;
  theirs.header_limit(1024 * 1024);
  theirs.body_limit(boost::none);
  theirs.skip(true);
  beast::error_code ec;
  theirs.put(boost::asio::buffer(head.text.data(), head.text.size()), ec);
  require(!ec || ec == beast::http::error::end_of_stream);
  require(theirs.is_header_done() && theirs.chunked() == head.has(FieldKind::transfer_encoding));
  if constexpr (isRequest) {
    require(std::string_view(theirs.get().method_string()) == first);
    require(std::string_view(theirs.get().target()) == second);
    // Beast lets Proxy-Connection count, and of "close, keep-alive" the latter for HTTP/1.0.
    if (theirs.get().count(beast::http::field::proxy_connection) == 0) {
      require(theirs.keep_alive() || !head.keep_alive);
      require(theirs.get().version() < 11 || theirs.keep_alive() == head.keep_alive);
    }
  }
  if (head.framing == Framing::length) require(*theirs.content_length() == head.content_length);
}

void check_request(std::string_view bytes) {
  RequestHead head;
  const auto used = parse_request(bytes, head);
  if (!used || *used == 0) return;
  require(*used <= bytes.size());
  check_fields(head);
  check_body(head, bytes.substr(*used));
  check_against_beast<true>(head, head.method, head.target);

  RequestHead again;
  const auto shorter = parse_request(bytes.substr(0, *used - 1), again);
  require(!shorter || *shorter == 0);
  HeadPieces pieces;
  bool asked = false;
  for (std::size_t size = 0; size <= *used; ++size) {
    asked = pieces.worth_parsing(bytes.substr(0, size));
  }
  require(asked);

  OutgoingHead out;
  RequestEdit edit;
  edit.peer = "127.0.0.1";
  out.compose(head, edit);
  const std::string sent = flat(out);
  const auto reparsed = parse_request(sent, again);
  // K-Original-Host may carry what no Host may: the only way a forwarded head can be refused.
  if (head.has(FieldKind::k_original_host)) return;
  require(reparsed && *reparsed == sent.size());
  require(again.method == head.method && again.target == head.target);
  require(again.framing == head.framing && again.content_length == head.content_length);
  require(!again.has(FieldKind::pilotlight_hop) && again.version == 11);
}

void check_response(std::string_view bytes) {
  ResponseHead head;
  const auto used = parse_response(bytes, false, head);
  if (!used || *used == 0) return;
  check_fields(head);
  check_body(head, bytes.substr(*used));
  // A status line that ends behind the code is common, and Beast alone refuses it.
  if (head.text[head.reason_begin + 3] == ' ') check_against_beast<false>(head, {}, {});
  OutgoingHead out;
  out.compose(head, ResponseEdit());
  const std::string sent = flat(out);
  ResponseHead again;
  const auto reparsed = parse_response(sent, false, again);
  require(reparsed && *reparsed == sent.size() && again.status == head.status);
  require(again.framing == head.framing && !again.has(FieldKind::pilotlight_not_started));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_request(bytes);
  check_response(bytes);
  return 0;
}
