#include "common/net/tls.h"

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/net/tls_session.h"

namespace pilotlight {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

/// Where systems keep their roots in one file, as in Go's crypto/x509. OpenSSL's own place is a
/// folder of hashed names, which small images do not have.
constexpr std::array<const char*, 4> kRootFiles = {"/etc/ssl/certs/ca-certificates.crt",
                                                   "/etc/pki/tls/certs/ca-bundle.crt",
                                                   "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/// The last thing OpenSSL complained about; empties its queue.
std::string complaint() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "no reason given" : reason;
  ERR_clear_error();
  return text;
}

std::unique_ptr<BIO, FreeBio> reader(std::string_view text) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Never asks a terminal for a password.
int no_password(char*, int, int, void*) { return -1; }

int protocol(TlsVersion version) noexcept {
  return version == TlsVersion::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  // Settings come from our own configuration only, not from the machine's openssl.cnf.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(method);
  PILOTLIGHT_CHECK(context != nullptr);  // out of memory
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);  // one system call a record, not two
  return context;
}

/// Picks http/1.1 out of what a client offers. One that offers only other protocols is refused.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int size, void*) {
  static constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned int at = 0; at < size; at += 1U + offered[at]) {
    const unsigned char length = offered[at];
    if (at + 1U + length > size) break;
    if (length != kHttp11.size()) continue;
    if (std::memcmp(offered + at + 1, kHttp11.data(), length) != 0) continue;
    *chosen = offered + at + 1;
    *chosen_size = length;
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// @return what is wrong, or "".
std::string apply(SSL_CTX* context, const TlsSettings& settings) {
  const TlsNames names = openssl_names(settings);
  if (!names.problems.empty()) return fmt::format("{}", fmt::join(names.problems, "; "));
  SSL_CTX_set_min_proto_version(context, protocol(names.least));
  SSL_CTX_set_max_proto_version(context, protocol(settings.most));
  if (!names.ciphers_1_2.empty() &&
      SSL_CTX_set_cipher_list(context, names.ciphers_1_2.c_str()) != 1) {
    return fmt::format("cipher suites {}: {}", names.ciphers_1_2, complaint());
  }
  if (!names.suites_1_3.empty() &&
      SSL_CTX_set_ciphersuites(context, names.suites_1_3.c_str()) != 1) {
    return fmt::format("cipher suites {}: {}", names.suites_1_3, complaint());
  }
  if (!names.curves.empty() && SSL_CTX_set1_groups_list(context, names.curves.c_str()) != 1) {
    return fmt::format("curves {}: {}", names.curves, complaint());
  }
  return "";
}

/// The first certificate is the server's, those behind it its chain. @return what is wrong, or "".
std::string use_certificate(SSL_CTX* context, std::string_view pem) {
  const auto in = reader(pem);
  const Certificate leaf(PEM_read_bio_X509_AUX(in.get(), nullptr, &no_password, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return "the certificate: " + complaint();
  }
  for (;;) {
    Certificate next(PEM_read_bio_X509(in.get(), nullptr, &no_password, nullptr));
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
      return "the certificate's chain: " + complaint();
    }
    static_cast<void>(next.release());  // the context has it now
  }
  const unsigned long last = ERR_peek_last_error();
  if (ERR_GET_REASON(last) != PEM_R_NO_START_LINE) return "the certificate's chain: " + complaint();
  ERR_clear_error();
  return "";
}

/// @return what is wrong, or "".
std::string use_key(SSL_CTX* context, std::string_view pem) {
  const auto in = reader(pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, &no_password, nullptr));
  if (!key) return "the key: " + complaint();
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return "the key: " + complaint();
  return "";
}

void trust_system(SSL_CTX* context) {
  SSL_CTX_set_default_verify_paths(context);
  const X509_STORE* store = SSL_CTX_get_cert_store(context);
  if (sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0) return;  // SSL_CERT_FILE was loaded
  for (const char* file : kRootFiles) {
    if (access(file, R_OK) == 0 && SSL_CTX_load_verify_file(context, file) == 1) break;
  }
  ERR_clear_error();  // a system without roots trusts nobody: each handshake says so
}

/// @return what is wrong, or "".
std::string trust(SSL_CTX* context, std::string_view roots) {
  const auto in = reader(roots);
  std::size_t found = 0;
  for (;; ++found) {
    const Certificate root(PEM_read_bio_X509(in.get(), nullptr, &no_password, nullptr));
    if (!root) break;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get());
  }
  const std::string problem = complaint();
  if (found == 0 && !roots.empty()) return "the roots: " + problem;
  return "";
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

TlsContext::Made TlsContext::server(const TlsSettings& settings, std::string_view certificate,
                                    std::string_view key) {
  Handle context(new_context(TLS_server_method()));
  std::string problem = apply(context.get(), settings);
  if (problem.empty()) problem = use_certificate(context.get(), certificate);
  if (problem.empty()) problem = use_key(context.get(), key);
  if (!problem.empty()) return problem;
  SSL_CTX_set_num_tickets(context.get(), 1);  // as Go: the second one serves nobody here
  SSL_CTX_set_alpn_select_cb(context.get(), &choose_protocol, nullptr);
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(context)));
}

TlsContext::Made TlsContext::client(std::string_view roots) {
  TlsTrust trust;
  trust.roots = std::string(roots);
  return client(trust);
}

TlsContext::Made TlsContext::client(const TlsTrust& whom) {
  Handle context(new_context(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), protocol(whom.least));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (whom.system_roots) trust_system(context.get());
  std::string problem = trust(context.get(), whom.roots);
  if (problem.empty() && !whom.certificate.empty()) {
    problem = use_certificate(context.get(), whom.certificate);
    if (problem.empty()) problem = use_key(context.get(), whom.key);
  }
  if (!problem.empty()) return problem;
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(context)));
}

Transport TlsContext::accept(TcpStream stream) const {
  SSL* ssl = SSL_new(context_.get());
  auto session = std::make_unique<TlsSession>(ssl, stream.native_handle());
  SSL_set_accept_state(ssl);
  return Transport(std::move(stream), std::move(session));
}

Transport TlsContext::connect(TcpStream stream, const std::string& host) const {
  SSL* ssl = SSL_new(context_.get());
  auto session = std::make_unique<TlsSession>(ssl, stream.native_handle());
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size());
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  return Transport(std::move(stream), std::move(session));
}

}  // namespace pilotlight
