#include "common/metrics/exposition.h"

#include <cmath>

#include <fmt/format.h>

namespace pilotlight {
namespace {

void escape(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

/// The shortest text that reads back as the same number; whole numbers without an exponent.
std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

void label(std::string& out, bool& first, std::string_view name, std::string_view value) {
  out += first ? '{' : ',';
  first = false;
  out += name;
  out += "=\"";
  escape(out, value, true);
  out += '"';
}

}  // namespace

void Exposition::head(std::string_view name, std::string_view help, std::string_view type) {
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  escape(text_, help, false);
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += type;
  text_ += '\n';
}

void Exposition::line(std::string_view name, std::string_view suffix, const Labels& labels,
                      std::string_view last_label, std::string_view last_value, double value) {
  text_ += name;
  text_ += suffix;
  bool first = true;
  for (const auto& [key, text] : labels) label(text_, first, key, text);
  if (!last_label.empty()) label(text_, first, last_label, last_value);
  if (!first) text_ += '}';
  text_ += ' ';
  text_ += number(value);
  text_ += '\n';
}

void Exposition::counter(std::string_view name, std::string_view help,
                         const std::vector<Sample>& samples) {
  if (samples.empty()) return;
  head(name, help, "counter");
  for (const Sample& sample : samples) line(name, "", sample.labels, "", "", sample.value);
}

void Exposition::gauge(std::string_view name, std::string_view help,
                       const std::vector<Sample>& samples) {
  if (samples.empty()) return;
  head(name, help, "gauge");
  for (const Sample& sample : samples) line(name, "", sample.labels, "", "", sample.value);
}

void Exposition::counter(std::string_view name, std::string_view help, std::uint64_t value) {
  head(name, help, "counter");
  line(name, "", Labels(), "", "", static_cast<double>(value));
}

void Exposition::gauge(std::string_view name, std::string_view help, double value) {
  head(name, help, "gauge");
  line(name, "", Labels(), "", "", value);
}

void Exposition::histogram(std::string_view name, std::string_view help,
                           const std::vector<HistogramSample>& samples) {
  if (samples.empty()) return;
  head(name, help, "histogram");
  for (const HistogramSample& sample : samples) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < sample.counts.size(); ++i) {
      total += sample.counts[i];
      const bool last = i >= sample.bounds.size();
      line(name, "_bucket", sample.labels, "le", last ? "+Inf" : number(sample.bounds[i]),
           static_cast<double>(total));
    }
    line(name, "_sum", sample.labels, "", "", sample.sum);
    line(name, "_count", sample.labels, "", "", static_cast<double>(total));
  }
}

}  // namespace pilotlight
