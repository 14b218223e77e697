#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autoscaler/token_reviews.h"
#include "common/async/event.h"

namespace pilotlight::autoscaler {

using kube::Json;

/// The answered TokenReview of a pod's service account token.
inline Json reviewed(const std::string& space, const std::string& account, const std::string& pod,
                     const std::string& uid = "uid-1") {
  Json user = {{"username", "system:serviceaccount:" + space + ":" + account}};
  if (!pod.empty()) {
    user["extra"] = {{"authentication.kubernetes.io/pod-name", Json::array({pod})},
                     {"authentication.kubernetes.io/pod-uid", Json::array({uid})}};
  }
  return {{"status",
           {{"authenticated", true},
            {"audiences", Json::array({"pilotlight"})},
            {"user", std::move(user)}}}};
}

inline Json not_authenticated() { return {{"status", {{"error", "invalid bearer token"}}}}; }

/// A JSON Web Token, as far as anybody reads it without checking.
inline std::string web_token(const std::string& payload_base64url) {
  return "e30." + payload_base64url + ".c2ln";
}
// {"aud":["pilotlight"],"exp":3600} and {"aud":["https://kubernetes.default.svc"],"exp":3600}
inline constexpr const char* kForUs = "eyJhdWQiOlsicGlsb3RsaWdodCJdLCJleHAiOjM2MDB9";
inline constexpr const char* kForOthers =
    "eyJhdWQiOlsiaHR0cHM6Ly9rdWJlcm5ldGVzLmRlZmF1bHQuc3ZjIl0sImV4cCI6MzYwMH0";

/// An API server that answers when the test says so.
class ScriptedReviews final : public ReviewApi {
 public:
  explicit ScriptedReviews(Clock& clock) : clock_(clock) {}

  void hold() { held_ = true; }
  void release() {
    held_ = false;
    for (const auto& waiting : waiting_) waiting->set();
    waiting_.clear();
  }

  Task<Result<Json>> review(std::string token, TimePoint deadline) override {
    asked.push_back(token);
    if (held_) {
      const auto released = std::make_shared<Event>(clock_);
      waiting_.push_back(released);
      const bool came = co_await released->wait(deadline);
      if (!came) co_return make_error_code(FlowError::deadline_exceeded);
    }
    if (away) co_return make_error_code(FlowError::disconnected);
    const auto found = answers.find(token);
    co_return Result<Json>(boost::system::in_place_value,
                           found == answers.end() ? not_authenticated() : found->second);
  }

  std::map<std::string, Json> answers;
  std::vector<std::string> asked;
  bool away = false;

 private:
  Clock& clock_;
  bool held_ = false;
  std::vector<std::shared_ptr<Event>> waiting_;
};

}  // namespace pilotlight::autoscaler
