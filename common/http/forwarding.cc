#include "common/http/forwarding.h"

#include <algorithm>

#include "common/http/head_parser.h"

namespace pilotlight::http {
namespace {

constexpr std::string_view kColon = ": ";
constexpr std::string_view kEndOfLine = "\r\n";

/// Every value of a field, joined as one list.
void join(const Head& head, FieldKind kind, std::string& all) {
  all.clear();
  for (const Field& f : head.fields) {
    if (f.kind != kind) continue;
    if (!all.empty()) all += ", ";
    all += f.value;
  }
}

void append_node(std::string& to, std::string_view element) {
  const bool v6 = element.find(':') != std::string_view::npos;
  to += v6 ? "for=\"[" : "for=";
  to += element;
  if (v6) to += "]\"";
}

void append_forwarded(std::string& to, std::string_view xff, std::string_view host,
                      std::string_view proto) {
  std::string_view separator;
  if (!xff.empty()) {
    append_node(to, next_element(xff));
    separator = ";";
  }
  if (!host.empty()) {
    to += separator;
    to += "host=";
    to += host;
    separator = ";";
  }
  if (!proto.empty()) {
    to += separator;
    to += "proto=";
    to += proto;
  }
  while (!xff.empty()) {
    to += ", ";
    append_node(to, next_element(xff));
  }
}

std::size_t first_line_end(std::string_view text) { return text.find("\r\n"); }

/// What Connection does not cut: it would change who is asked, or where the message ends; and
/// whether a switch of protocols goes on is decided on its own.
bool stays(std::string_view name) {
  return same_name(name, "host") || same_name(name, "upgrade") ||
         same_name(name, "content-length") || same_name(name, "transfer-encoding");
}

}  // namespace

std::string forwarded_value(std::string_view xff, std::string_view host, std::string_view proto) {
  std::string value;
  append_forwarded(value, xff, host, proto);
  return value;
}

void OutgoingHead::begin() {
  text_.clear();
  body_ = std::string_view();
  version_digit_ = kNone;
  cuts_.clear();
  added_.clear();
}

void OutgoingHead::add(std::string_view name, std::string_view value) {
  added_.append(name).append(kColon).append(value).append(kEndOfLine);
}

void OutgoingHead::cut_named_by_connection(const Head& head) {
  for (const Field& f : head.fields) {
    if (f.kind != FieldKind::connection) continue;
    std::string_view list = f.value;
    while (!list.empty()) {
      const std::string_view name = next_element(list);
      if (name.empty() || stays(name)) continue;
      std::size_t line = first_line_end(head.text) + 2;
      while (line + 2 < head.text.size()) {
        const std::size_t end = head.text.find("\r\n", line) + 2;
        const std::string_view text = head.text.substr(line, end - line);
        if (text.size() > name.size() && text[name.size()] == ':' &&
            same_name(text.substr(0, name.size()), name)) {
          cut(line, end);
        }
        line = end;
      }
    }
  }
}

void OutgoingHead::edit_host(const RequestHead& head, const RequestEdit& edit) {
  const bool has_original = head.has(FieldKind::k_original_host);
  if (edit.next_host.empty()) {  // the last hop before the app
    if (has_original) {
      add("Host", head.value(FieldKind::k_original_host));
    } else if (!head.has(FieldKind::host)) {
      add("Host", "localhost");  // an HTTP/1.0 client may send none; HTTP/1.1 upstream needs one
    }
    return;
  }
  if (!has_original) add("K-Original-Host", head.value(FieldKind::host));
  add("Host", edit.next_host);
  add("K-Proxy-Request", "activator");
  add("Pilotlight-Hop", edit.hop_epoch);
}

void OutgoingHead::add_forwarded(const RequestHead& head, const RequestEdit& edit) {
  const bool last_hop = edit.next_host.empty();
  list_.clear();
  if (head.has(FieldKind::x_forwarded_for)) join(head, FieldKind::x_forwarded_for, list_);
  if (last_hop && !head.has(FieldKind::forwarded)) {
    const std::string_view host = head.value(FieldKind::x_forwarded_host);
    const std::string_view proto = head.value(FieldKind::x_forwarded_proto);
    if (!list_.empty() || !host.empty() || !proto.empty()) {
      added_ += "Forwarded: ";
      append_forwarded(added_, list_, host, proto);
      added_ += "\r\n";
    }
  }
  if (list_.empty() && !edit.peer_line.empty()) {
    added_ += edit.peer_line;
    return;
  }
  if (!list_.empty()) list_ += ", ";
  list_ += edit.peer;
  add("X-Forwarded-For", list_);
}

void OutgoingHead::compose(const RequestHead& head, const RequestEdit& edit) {
  begin();
  const bool last_hop = edit.next_host.empty();
  bool takes_trailers = false;
  if (head.version == 10) {  // upstream is always 1.1
    version_digit_ = first_line_end(head.text) - 1;
    cut(version_digit_, version_digit_ + 1);
  }
  for (const Field& f : head.fields) {
    switch (f.kind) {
      case FieldKind::connection:
      case FieldKind::proxy_connection:
      case FieldKind::keep_alive:
      case FieldKind::proxy_authenticate:
      case FieldKind::proxy_authorization:
      case FieldKind::serving_revision:
      case FieldKind::serving_namespace:
      case FieldKind::x_forwarded_for:
      case FieldKind::pilotlight_hop:
      case FieldKind::pilotlight_not_started:
      case FieldKind::pilotlight_other: cut(f); break;
      case FieldKind::te:  // of what it lists only this concerns anybody but the next hop
        takes_trailers = takes_trailers || has_token(f.value, "trailers");
        cut(f);
        break;
      case FieldKind::upgrade:
        if (!head.upgrade) cut(f);
        break;
      case FieldKind::expect:
        if (edit.expect != ExpectEdit::keep) cut(f);
        break;
      case FieldKind::host:
        if (!last_hop || head.has(FieldKind::k_original_host)) cut(f);
        break;
      case FieldKind::k_original_host:
        if (last_hop) cut(f);
        break;
      case FieldKind::k_proxy_request:
        if (!last_hop) cut(f);
        break;
      default: break;
    }
  }
  if (head.connection_names) cut_named_by_connection(head);
  if (takes_trailers) add("Te", "trailers");
  if (head.upgrade) add("Connection", "Upgrade");
  if (edit.expect == ExpectEdit::add) add("Expect", "100-continue");
  edit_host(head, edit);
  add_forwarded(head, edit);
  finish(head.text);
}

void OutgoingHead::compose(const ResponseHead& head, const ResponseEdit& edit) {
  begin();
  const bool switching = head.status == 101;
  if (head.version == 10) cut(0, head.reason_begin);
  for (const Field& f : head.fields) {
    switch (f.kind) {
      case FieldKind::connection:
      case FieldKind::proxy_connection:
      case FieldKind::keep_alive:
      case FieldKind::proxy_authenticate:
      case FieldKind::pilotlight_hop:
      case FieldKind::pilotlight_not_started:
      case FieldKind::pilotlight_other: cut(f); break;
      case FieldKind::upgrade:
        if (!switching) cut(f);
        break;
      case FieldKind::transfer_encoding:
      case FieldKind::trailer:
        if (edit.plain) cut(f);
        break;
      default: break;
    }
  }
  if (head.connection_names) cut_named_by_connection(head);
  if (switching) {
    add("Connection", "Upgrade");
  } else if (edit.close) {
    add("Connection", "close");
  } else if (edit.keep_alive) {
    add("Connection", "keep-alive");
  }
  if (head.version == 10) text_ = "HTTP/1.1 ";
  finish(head.text);
}

void OutgoingHead::finish(std::string_view text) {
  if (!std::is_sorted(cuts_.begin(), cuts_.end())) std::sort(cuts_.begin(), cuts_.end());
  const std::size_t last = text.size() - 2;
  std::size_t at = 0;
  for (const auto& [from, to] : cuts_) {
    if (from > at) text_.append(text, at, from - at);
    if (from == version_digit_) text_ += '1';
    at = std::max(at, to);
  }
  if (last > at) text_.append(text, at, last - at);
  added_ += kEndOfLine;
  text_ += added_;
}

std::string OutgoingHead::rest(std::size_t sent) const {
  std::string left(text_.substr(std::min(sent, text_.size())));
  if (sent < text_.size()) sent = text_.size();
  left += body_.substr(sent - text_.size());
  return left;
}

}  // namespace pilotlight::http
