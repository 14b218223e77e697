#include "local/console.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace pilotlight::local {
namespace {

/// A person's terminal obeys control characters: those that come from logs are shown, not obeyed.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7f || (byte < 0x20 && c != '\n' && c != '\t')) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

std::string unusual_ports(const BlockPorts& ports) {
  const BlockPorts usual;
  std::string text;
  const auto compare = [&](const char* what, std::uint16_t have, std::uint16_t want) {
    if (have != want)
      text += fmt::format("{}{} {} instead of {}", text.empty() ? "" : ", ", what, have, want);
  };
  compare("serving", ports.serving, usual.serving);
  compare("admin", ports.admin, usual.admin);
  compare("stats", ports.stats, usual.stats);
  compare("wire", ports.wire, usual.wire);
  return text;
}

}  // namespace

void Console::line(const StoryLine& line) const {
  const char* colour = "";
  if (colours_ && line.tone == StoryLine::Tone::good) colour = "\033[32m";
  if (colours_ && line.tone == StoryLine::Tone::warning) colour = "\033[33m";
  std::printf("%s%s%s\n", colour, printable(line.text).c_str(), *colour == '\0' ? "" : "\033[0m");
  std::fflush(stdout);
}

void Console::plain(const std::string& text) const {
  StoryLine plain;
  plain.text = text;
  line(plain);
}

void Console::problem(const std::string& text) const {
  std::fprintf(stderr, "pilotlight: %s\n", printable(text).c_str());
}

void Console::greet(const UpPlan& plan, const asio::ip::tcp::endpoint& api) const {
  for (const std::string& note : plan.manifests.notes) plain("note: " + note);
  const std::string ports = unusual_ports(plan.ports);
  if (!ports.empty()) plain("note: ports are taken by another program; this up uses " + ports);
  const auto gateway = plan.sockets.all().front().where;
  if (!gateway.address().is_loopback()) {
    StoryLine warning;
    warning.tone = StoryLine::Tone::warning;
    warning.text = fmt::format(
        "WARNING: the gateway listens on {}: other machines can reach your models, and nothing "
        "asks them who they are",
        show(gateway));
    line(warning);
  }
  if (!api.address().is_loopback()) {
    StoryLine warning;
    warning.tone = StoryLine::Tone::warning;
    warning.text = fmt::format(
        "WARNING: the Kubernetes API listens on {}: whoever has the token can run commands here",
        show(api));
    line(warning);
  }
  std::size_t width = 0;
  for (const ServiceUrls& service : plan.services) width = std::max(width, service.name.size());
  for (const ServiceUrls& service : plan.services) {
    plain(fmt::format("{:<{}}  {}", service.name, width, fmt::join(service.urls, "  ")));
  }
  plain(fmt::format("api: http://{}  kubeconfig: {}", show(api),
                    plan.state_dir.kubeconfig().string()));
}

}  // namespace pilotlight::local
