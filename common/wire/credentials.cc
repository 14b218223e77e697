#include "common/wire/credentials.h"

#include <utility>

#include "common/base/file_text.h"
#include "common/base/log.h"

namespace pilotlight::wire {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Credentials::Credentials(CredentialSources sources) : sources_(std::move(sources)) {}

void Credentials::renew() {
  renew_token();
  renew_trust();
}

void Credentials::renew_token() {
  if (sources_.token_file.empty()) return;
  const std::optional<std::string> text = file_text(sources_.token_file);
  const std::string token = text ? trimmed(*text) : std::string();
  if (token.empty()) {
    log_warn("no token in its file", {{"path", sources_.token_file}});
    return;
  }
  token_ = token;
}

void Credentials::renew_trust() {
  std::string ca = sources_.ca;
  if (!sources_.ca_file.empty()) {
    const std::optional<std::string> text = file_text(sources_.ca_file);
    if (!text && tls_ == nullptr) problem_ = sources_.ca_file + " cannot be read";
    if (text) ca = *text;
  }
  if (ca.empty() || ca == ca_in_use_) return;
  TlsTrust trust;
  trust.system_roots = false;
  trust.least = TlsVersion::v1_3;
  trust.roots = ca;
  TlsContext::Made made = TlsContext::client(trust);
  ca_in_use_ = std::move(ca);  // good or not: said once
  if (made) {
    tls_ = std::move(*made);
    return;
  }
  problem_ = made.error();
  log_warn("the autoscaler's CA cannot be used", {{"problem", problem_}});
}

boost::system::result<Transport, std::string> Credentials::wrap(TcpStream stream) const {
  using Wrapped = boost::system::result<Transport, std::string>;
  if (sources_.ca.empty() && sources_.ca_file.empty()) {
    return Wrapped(boost::system::in_place_value, std::move(stream));
  }
  if (tls_ == nullptr) return Wrapped(boost::system::in_place_error, "the CA: " + problem_);
  return Wrapped(boost::system::in_place_value, tls_->connect(std::move(stream), kServerName));
}

}  // namespace pilotlight::wire
