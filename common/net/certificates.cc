#include "common/net/certificates.h"

#include <algorithm>
#include <memory>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace pilotlight {
namespace {

constexpr std::chrono::hours kClocksBehind{1};

template <auto release>
struct Free {
  template <class T>
  void operator()(T* object) const noexcept {
    release(object);
  }
};
using Certificate = std::unique_ptr<X509, Free<&X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<&EVP_PKEY_free>>;
using Bytes = std::unique_ptr<BIO, Free<&BIO_free_all>>;

Bytes reader(std::string_view text) {
  return Bytes(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate read_certificate(std::string_view pem) {
  const Bytes bytes = reader(pem);
  return Certificate(bytes ? PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr) : nullptr);
}

Key read_key(std::string_view pem) {
  const Bytes bytes = reader(pem);
  return Key(bytes ? PEM_read_bio_PrivateKey(bytes.get(), nullptr, nullptr, nullptr) : nullptr);
}

std::string text_of(BIO* bytes) {
  char* begin = nullptr;
  const long size = BIO_get_mem_data(bytes, &begin);
  return size > 0 ? std::string(begin, static_cast<std::size_t>(size)) : std::string();
}

/// A KeyPair could be made of one text, too: says which is meant.
MadePair no_pair(const std::string& why) { return MadePair(boost::system::in_place_error, why); }

bool is_address(const std::string& name) {
  const std::unique_ptr<ASN1_OCTET_STRING, Free<&ASN1_OCTET_STRING_free>> address(
      a2i_IPADDRESS(name.c_str()));
  return address != nullptr;
}

/// "DNS:a,IP:1.2.3.4", in OpenSSL's words.
std::string alternative_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    out += (out.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  }
  return out;
}

/// A certificate in the making; every step says whether it worked.
class Draft {
 public:
  Draft() : certificate_(X509_new()), key_(EVP_EC_gen("P-256")) {}

  bool begin(const std::string& common_name, WallTime now, std::chrono::seconds lifetime) {
    if (!certificate_ || !key_) return false;
    X509* made = certificate_.get();
    std::uint64_t serial = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
    const auto seconds = [](WallTime when) { return when.time_since_epoch().count(); };
    return X509_set_version(made, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial >> 1U) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(made), seconds(now - kClocksBehind)) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(made), seconds(now + lifetime)) != nullptr &&
           X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                      -1, -1, 0) == 1 &&
           X509_set_pubkey(made, key_.get()) == 1;
  }

  bool add(int extension, const std::string& value, X509* issuer) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate_.get(), nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Free<&X509_EXTENSION_free>> made(
        X509V3_EXT_conf_nid(nullptr, &context, extension, value.c_str()));
    return made && X509_add_ext(certificate_.get(), made.get(), -1) == 1;
  }

  bool sign(X509* issuer, EVP_PKEY* key) {
    return X509_set_issuer_name(certificate_.get(), X509_get_subject_name(issuer)) == 1 &&
           X509_sign(certificate_.get(), key, EVP_sha256()) > 0;
  }

  bool write(KeyPair& pair) const {
    const Bytes certificate(BIO_new(BIO_s_mem()));
    const Bytes key(BIO_new(BIO_s_mem()));
    if (!certificate || !key || PEM_write_bio_X509(certificate.get(), certificate_.get()) != 1 ||
        PEM_write_bio_PrivateKey(key.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
      return false;
    }
    pair.certificate = text_of(certificate.get());
    pair.key = text_of(key.get());
    return true;
  }

  [[nodiscard]] X509* certificate() const noexcept { return certificate_.get(); }
  [[nodiscard]] EVP_PKEY* key() const noexcept { return key_.get(); }

 private:
  Certificate certificate_;
  Key key_;
};

}  // namespace

MadePair make_authority(const std::string& common_name, WallTime now,
                        std::chrono::seconds lifetime) {
  Draft draft;
  KeyPair pair;
  const bool made = draft.begin(common_name, now, lifetime) &&
                    draft.add(NID_basic_constraints, "critical,CA:TRUE", draft.certificate()) &&
                    draft.add(NID_key_usage, "critical,keyCertSign,cRLSign", draft.certificate()) &&
                    draft.add(NID_subject_key_identifier, "hash", draft.certificate()) &&
                    draft.sign(draft.certificate(), draft.key()) && draft.write(pair);
  if (!made) return no_pair("OpenSSL cannot make a certificate authority");
  return pair;
}

MadePair issue_certificate(const KeyPair& authority, const std::vector<std::string>& names,
                           WallTime now, std::chrono::seconds lifetime) {
  const Certificate issuer = read_certificate(authority.certificate);
  const Key key = read_key(authority.key);
  if (!issuer || !key || names.empty()) {
    return no_pair("got no authority or no name, expected both");
  }
  Draft draft;
  KeyPair pair;
  X509* const by = issuer.get();
  const bool made = draft.begin(names.front(), now, lifetime) &&
                    draft.add(NID_basic_constraints, "critical,CA:FALSE", by) &&
                    draft.add(NID_key_usage, "critical,digitalSignature", by) &&
                    draft.add(NID_ext_key_usage, "serverAuth", by) &&
                    draft.add(NID_authority_key_identifier, "keyid", by) &&
                    draft.add(NID_subject_alt_name, alternative_names(names), by) &&
                    draft.sign(by, key.get()) && draft.write(pair);
  if (!made) return no_pair("OpenSSL cannot make a certificate for " + names.front());
  return pair;
}

std::optional<WallTime> certificate_end(std::string_view pem) {
  const Certificate certificate = read_certificate(pem);
  if (!certificate) return std::nullopt;
  int days = 0;
  int seconds = 0;
  const std::unique_ptr<ASN1_TIME, Free<&ASN1_TIME_free>> epoch(ASN1_TIME_set(nullptr, 0));
  if (!epoch ||
      ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate.get())) != 1) {
    return std::nullopt;
  }
  return WallTime(std::chrono::seconds(std::int64_t{days} * 86'400 + seconds));
}

bool certificate_fits(const KeyPair& pair, std::string_view authority,
                      const std::vector<std::string>& names) {
  const Certificate certificate = read_certificate(pair.certificate);
  const Certificate issuer = read_certificate(authority);
  const Key key = read_key(pair.key);
  if (!certificate || !issuer || !key) return false;
  const auto named = [&](const std::string& name) {
    return is_address(name)
               ? X509_check_ip_asc(certificate.get(), name.c_str(), 0) == 1
               : X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr) == 1;
  };
  return X509_check_private_key(certificate.get(), key.get()) == 1 &&
         X509_verify(certificate.get(), X509_get0_pubkey(issuer.get())) == 1 &&
         std::all_of(names.begin(), names.end(), named);
}

}  // namespace pilotlight
