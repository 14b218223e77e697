#include "cli/logs.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>

#include "cli/log_tail.h"
#include "local/state_dir.h"

namespace pilotlight::cli {
namespace {

namespace fs = std::filesystem;

/// "<deployment>-xxxxx.app.log" -> "<deployment>-xxxxx app"; "" when it is no log of it.
std::string origin_of(const std::string& file, const std::string& deployment) {
  constexpr std::string_view kEnd = ".log";
  const bool mine = file.starts_with(deployment + "-") && file.ends_with(kEnd);
  if (!mine) return {};
  std::string name = file.substr(0, file.size() - kEnd.size());
  const std::size_t dot = name.rfind('.');
  // What follows the deployment's name is one random word, or it is another deployment's pod.
  const std::size_t word = deployment.size() + 1;
  if (dot == std::string::npos || name.find('-', word) < dot) return {};
  name[dot] = ' ';
  return name;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::vector<fs::path> files_of(const fs::path& logs, const std::string& deployment) {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator at(logs, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (origin_of(at->path().filename(), deployment).empty()) continue;
    found.emplace_back(fs::last_write_time(at->path(), ignored), at->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [time, path] : found) paths.push_back(std::move(path));
  return paths;
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
  const auto up = local::find_up(state_dir);
  if (!up) {
    std::fprintf(stderr, "pilotlight: nothing is running in %s\n", state_dir.c_str());
    return 1;
  }
  const std::string deployment = deployment_of(*up, service);
  if (deployment.empty()) {
    std::fprintf(stderr, "pilotlight: no service \"%s\"; there is: %s\n", service.c_str(),
                 names(*up).c_str());
    return 1;
  }
  std::map<fs::path, LogTail> tails;
  for (;;) {
    const bool last = !follow || !local::is_locked(state_dir);
    for (const fs::path& path : files_of(state_dir / "logs", deployment)) {
      LogTail& tail =
          tails.try_emplace(path, path, origin_of(path.filename(), deployment)).first->second;
      print(tail.more());
      if (last) print(tail.unfinished());
    }
    std::fflush(stdout);
    if (last) return 0;
    poll(nullptr, 0, 200);
  }
}

}  // namespace pilotlight::cli
