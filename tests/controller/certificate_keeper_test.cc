// What keeps the certificates, against an API server of which the test says every answer.
#include "controller/certificate_keeper.h"

#include <memory>

#include "tests/common/control/loop_fixture.h"
#include "tests/common/control/scripted_server.h"

namespace pilotlight::controller {
namespace {

using namespace std::chrono_literals;
using test::ScriptedServer;

const WallTime kNow{std::chrono::seconds(1'790'000'000)};
const std::vector<std::string> kHosts = {"pilotlight-webhook.team.svc"};

class CertificateKeeperTest : public test::LoopTest {
 protected:
  void SetUp() override {
    const auto made = renew_credentials(std::nullopt, kHosts, kNow);
    ASSERT_TRUE(made);
    first_ = *made;
    server_ = std::make_unique<ScriptedServer>(
        executor(), scope_, [this](const std::string& request) { return answer(request); });
    kube::Access access;
    access.endpoint = server_->at();
    client_ = std::make_unique<kube::Client>(executor(), clock_, std::move(access));
    CertificateKeeper::Names names;
    names.space = "team";
    names.secret = "tls";
    names.config_map = "ca";
    names.configuration = "pilotlight";
    names.hosts = kHosts;
    keeper_ = std::make_unique<CertificateKeeper>(
        *client_, clock_, std::move(names), [this](const KeyPair& pair) { shown_.push_back(pair); },
        [this] { return now_; }, random_);
  }
  void TearDown() override {
    keeper_->stop();
    server_->stop();
    run_until([this] { return scope_.size() == 0; });
  }

  std::string answer(const std::string& request) {
    const auto asks = [&](const char* what) { return request.find(what) < request.find("\r\n"); };
    const bool secrets = asks("/secrets");
    if (asks("watch=true")) {
      if (!secrets || lost_.is_null() || shown_.empty()) return forever("");
      return forever(kube::to_text(lost_) + "\n");
    }
    if (request.starts_with("GET")) return secrets ? list(kube::to_text(secret())) : list("");
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    const auto object = kube::parse_json(body);
    if (secrets && object) written_.push_back(*object);
    return ScriptedServer::answer(200, body);
  }
  static std::string list(const std::string& item) {
    return ScriptedServer::answer(200,
                                  R"({"metadata":{"resourceVersion":"9"},"items":[)" + item + "]}");
  }
  /// A watch that goes on after this.
  static std::string forever(const std::string& text) {
    return "HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n" + text;
  }
  [[nodiscard]] Json secret() const {
    Json out = {{"metadata",
                 {{"name", "tls"}, {"namespace", "team"}, {"uid", "u"}, {"resourceVersion", "5"}}}};
    out["data"] = secret_data(first_);
    return out;
  }

  Credentials first_;
  WallTime now_ = kNow;
  Json lost_;  ///< The watch's event, once the first certificate is shown.
  std::vector<KeyPair> shown_;
  std::vector<Json> written_;
  std::mt19937_64 random_{7};
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<CertificateKeeper> keeper_;
};

TEST_F(CertificateKeeperTest, ADeletedSecretIsWrittenBack) {
  lost_ = {{"type", "DELETED"}, {"object", secret()}};
  keeper_->start(scope_);
  run_until([this] { return !written_.empty(); });
  EXPECT_EQ(read_credentials(written_[0]), first_);
  EXPECT_EQ(shown_.size(), 1U) << "nothing else than before";
}

TEST_F(CertificateKeeperTest, AnEmptiedSecretIsFilledAgain) {
  Json empty = secret();
  empty["data"] = Json::object();
  empty["metadata"]["resourceVersion"] = "10";
  lost_ = {{"type", "MODIFIED"}, {"object", empty}};
  keeper_->start(scope_);
  run_until([this] { return !written_.empty(); });
  EXPECT_EQ(read_credentials(written_[0]), first_);
  EXPECT_EQ(kube::resource_version_of(written_[0]), "10");
}

}  // namespace
}  // namespace pilotlight::controller
