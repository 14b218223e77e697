#include "local/shim_protocol.h"

#include <algorithm>
#include <charconv>

namespace pilotlight::local {
namespace {

void put(std::string& out, std::string_view text) {
  out.append(text);
  out.push_back('\0');
}

void put_all(std::string& out, const std::vector<std::string>& texts) {
  put(out, std::to_string(texts.size()));
  for (const std::string& text : texts) put(out, text);
}

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// Takes NUL-terminated strings off a payload; `good` is false for ever after a mistake.
struct Reader {
  std::string_view rest;
  bool good = true;

  std::string text() {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) {
      good = false;
      return {};
    }
    std::string value(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    return value;
  }

  int number() {
    int value = 0;
    if (!parse(text(), value) || value < 0) good = false;
    return good ? value : 0;
  }

  std::vector<std::string> texts() {
    std::vector<std::string> values;
    for (int n = number(); good && n > 0; --n) values.push_back(text());
    return values;
  }
};

/// The next word of a line.
std::string_view word(std::string_view& line) {
  const std::string_view first = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), first.size() + 1));
  return first;
}

}  // namespace

std::string encode_spec(const std::vector<ProcessSpec>& processes) {
  std::string payload;
  put(payload, std::to_string(processes.size()));
  for (const ProcessSpec& process : processes) {
    put(payload, process.role);
    put_all(payload, process.argv);
    put_all(payload, process.env);
    put(payload, process.directory);
    put(payload, std::to_string(process.log_fd));
    put(payload, std::to_string(process.listen_fds.size()));
    for (const int fd : process.listen_fds) put(payload, std::to_string(fd));
  }
  return std::to_string(payload.size()) + "\n" + payload;
}

std::optional<std::vector<ProcessSpec>> decode_spec(std::string_view payload) {
  Reader reader{payload};
  std::vector<ProcessSpec> processes;
  for (int n = reader.number(); reader.good && n > 0; --n) {
    ProcessSpec process;
    process.role = reader.text();
    process.argv = reader.texts();
    process.env = reader.texts();
    process.directory = reader.text();
    process.log_fd = reader.number();
    for (int fds = reader.number(); reader.good && fds > 0; --fds) {
      process.listen_fds.push_back(reader.number());
    }
    if (process.argv.empty()) reader.good = false;
    processes.push_back(std::move(process));
  }
  if (!reader.good || !reader.rest.empty()) return std::nullopt;
  return processes;
}

std::string encode_report(const ShimReport& report) {
  const std::string pid = std::to_string(report.pid);
  switch (report.kind) {
    case ShimReport::Kind::started:
      return "started " + report.role + " " + pid + " " + std::to_string(report.exec_us) + "\n";
    case ShimReport::Kind::failed: return "failed " + report.role + " " + report.text + "\n";
    case ShimReport::Kind::exited:
      return "exited " + report.role + " " + pid + (report.by_signal ? " signal " : " code ") +
             std::to_string(report.code) + "\n";
    case ShimReport::Kind::empty: break;
  }
  return "empty\n";
}

std::optional<ShimReport> decode_report(std::string_view line) {
  ShimReport report;
  const std::string_view kind = word(line);
  if (kind == "empty") return line.empty() ? std::optional(report) : std::nullopt;
  report.role = word(line);
  if (report.role.empty()) return std::nullopt;
  if (kind == "failed") {
    report.kind = ShimReport::Kind::failed;
    report.text = line;
    return report;
  }
  if (!parse(word(line), report.pid)) return std::nullopt;
  if (kind == "started") {
    report.kind = ShimReport::Kind::started;
    return parse(line, report.exec_us) ? std::optional(report) : std::nullopt;
  }
  const std::string_view how = word(line);
  report.kind = ShimReport::Kind::exited;
  report.by_signal = how == "signal";
  const bool good = kind == "exited" && (report.by_signal || how == "code");
  return good && parse(line, report.code) ? std::optional(report) : std::nullopt;
}

}  // namespace pilotlight::local
