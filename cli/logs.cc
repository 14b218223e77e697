#include "cli/logs.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <poll.h>

#include "cli/log_tail.h"
#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

/// A log's name, "<deployment>-<random word>.app.log", taken apart.
struct LogName {
  std::string deployment;
  std::string origin;  ///< "<deployment>-<random word> app"
};

std::optional<LogName> log_name(const std::string& file) {
  constexpr std::string_view kEnd = ".log";
  if (!file.ends_with(kEnd)) return std::nullopt;
  LogName name;
  name.origin = file.substr(0, file.size() - kEnd.size());
  const std::size_t dot = name.origin.rfind('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::size_t word = name.origin.rfind('-', dot);
  if (word == std::string::npos) return std::nullopt;
  name.deployment = name.origin.substr(0, word);
  name.origin[dot] = ' ';
  return name;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// Whether that is the deployment of a revision of `service`.
bool of_revision(std::string_view deployment, std::string_view service) {
  constexpr std::string_view kEnd = "-deployment";
  constexpr std::size_t kDigits = 5;
  if (deployment.size() != service.size() + 1 + kDigits + kEnd.size()) return false;
  if (!deployment.starts_with(service) || !deployment.ends_with(kEnd)) return false;
  const std::string_view number = deployment.substr(service.size(), kDigits + 1);
  return number[0] == '-' && number.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

/// Whose logs are asked for.
struct Wanted {
  std::string deployment;  ///< As a running `up` names it; "" when there is none to ask.
  std::string service;     ///< Then: the service's name, without a namespace.

  /// Without an `up` a file's name has to tell: a plain Deployment is named as its service, that of
  /// a revision `<service>-<five digits>-deployment`.
  [[nodiscard]] bool has(std::string_view of) const {
    if (!deployment.empty()) return of == deployment;
    return of == service || of_revision(of, service);
  }
};

/// The logs of those deployments, the oldest first, with what stands before their lines.
std::vector<std::pair<fs::path, std::string>> files_of(const fs::path& logs, const Wanted& wanted) {
  std::vector<std::tuple<fs::file_time_type, fs::path, std::string>> found;
  std::error_code error;
  for (fs::directory_iterator at(logs, error), end; !error && at != end; at.increment(error)) {
    const auto name = log_name(at->path().filename());
    if (!name || !wanted.has(name->deployment)) continue;
    std::error_code ignored;
    found.emplace_back(fs::last_write_time(at->path(), ignored), at->path(), name->origin);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::pair<fs::path, std::string>> files;
  for (auto& [time, path, origin] : found) files.emplace_back(std::move(path), std::move(origin));
  return files;
}

/// "iris" or "team/iris" -> its Deployment; "" when there is none.
std::string deployment_of(const kube::Json& up, const std::string& service) {
  for (const kube::Json& known : kube::array(up, {"services"})) {
    const std::string name(kube::text(known, {"name"}));
    const std::string full = std::string(kube::text(known, {"namespace"})) + "/" + name;
    if (service == name || service == full) return std::string(kube::text(known, {"deployment"}));
  }
  return {};
}

std::string names(const kube::Json& up) {
  std::string out;
  for (const kube::Json& known : kube::array(up, {"services"})) {
    out += (out.empty() ? "" : ", ") + std::string(kube::text(known, {"name"}));
  }
  return out;
}

}  // namespace

int print_logs(const fs::path& state_dir, const std::string& service, bool follow) {
  Wanted wanted;
  const auto up = local::find_up(state_dir);
  if (up) {
    wanted.deployment = deployment_of(*up, service);
    if (wanted.deployment.empty()) {
      std::fprintf(stderr, "pilotlight: no service \"%s\"; there is: %s\n", service.c_str(),
                   names(*up).c_str());
      return 1;
    }
  } else {
    wanted.service = service.substr(service.find('/') + 1);  // all of it where there is no '/'
    if (files_of(state_dir / "logs", wanted).empty()) {
      std::fprintf(stderr, "pilotlight: nothing is running in %s, and no \"%s\" has left a log\n",
                   state_dir.c_str(), service.c_str());
      return 1;
    }
  }
  std::map<fs::path, LogTail> tails;
  for (;;) {
    const bool last = !follow || !local::is_locked(state_dir);
    for (const auto& [path, origin] : files_of(state_dir / "logs", wanted)) {
      LogTail& tail = tails.try_emplace(path, path, origin).first->second;
      print(tail.more());
      if (last) print(tail.unfinished());
    }
    std::fflush(stdout);
    if (last) return 0;
    poll(nullptr, 0, 200);
  }
}

}  // namespace pilotlight::cli
