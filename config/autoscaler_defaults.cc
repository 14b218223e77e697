#include "config/autoscaler_defaults.h"

#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "common/base/file_text.h"
#include "config/json_reader.h"
#include "config/scalars.h"
#include "config/yaml_documents.h"

namespace pilotlight::config {
namespace {

using namespace std::chrono_literals;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr double kLarge = 1e9;
constexpr double kLeastTarget = 0.01;
constexpr std::int64_t kMostReplicas = 1'000'000;

/// One pass over the keys; a value that is wrong leaves the default.
class DefaultsReader {
 public:
  DefaultsReader(const StringMap& keys, Report& report) : keys_(keys), report_(report) {}

  AutoscalerDefaults read() {
    if (const std::string* name = find("pod-autoscaler-class");
        name != nullptr && *name != "kpa.autoscaling.knative.dev") {
      wrong("pod-autoscaler-class", "kpa.autoscaling.knative.dev");
    }
    truth("enable-scale-to-zero", out_.scale_to_zero);
    truth("allow-zero-initial-scale", out_.allow_zero_initial_scale);
    numbers();
    times();
    counts();
    unknown();
    return out_;
  }

 private:
  const std::string* find(const char* key) {
    known_.insert(key);
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : &found->second;
  }

  void wrong(const char* key, std::string_view expected) {
    report_.wrong(key, in_quotes(keys_.at(key)), expected);
  }

  void truth(const char* key, bool& out) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    const auto value = parse_boolean(*text);
    if (!value) return wrong(key, "true or false");
    out = *value;
  }

  void number(const char* key, double& out, const std::function<bool(double)>& good,
              std::string_view expected) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    const auto value = parse_number(*text);
    if (!value || !good(*value)) return wrong(key, expected);
    out = *value;
  }

  template <class Time>
  void time(const char* key, Time& out, nanoseconds least, nanoseconds most,
            std::string_view expected) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    const auto value = parse_duration(*text);
    if (!value || *value < least || *value > most || *value % Time(1) != 0ns) {
      return wrong(key, expected);
    }
    out = duration_cast<Time>(*value);
  }

  std::optional<std::uint32_t> count(const char* key) {
    const std::string* text = find(key);
    if (text == nullptr) return std::nullopt;
    const auto value = parse_integer(*text);
    if (value && *value >= 0 && *value <= kMostReplicas) return static_cast<std::uint32_t>(*value);
    wrong(key, fmt::format("an integer in [0, {}]", kMostReplicas));
    return std::nullopt;
  }

  void numbers() {
    const auto above_one = [](double v) { return v > 1 && v <= kLarge; };
    number(
        "container-concurrency-target-percentage", out_.target_ratio,
        [](double v) { return v > 0 && v <= 100; }, "a percentage, or a ratio of at most 1");
    if (out_.target_ratio > 1) out_.target_ratio /= 100;
    number(
        "container-concurrency-target-default", out_.concurrency_target,
        [this](double v) { return v * out_.target_ratio >= kLeastTarget && v <= kLarge; },
        "a number that is at least 0.01 after container-concurrency-target-percentage");
    number(
        "requests-per-second-target-default", out_.rps_target,
        [](double v) { return v >= kLeastTarget && v <= kLarge; },
        "a number in [0.01, 1000000000]");
    number(
        "target-burst-capacity", out_.target_burst_capacity,
        [](double v) { return v == -1 || (v >= 0 && v <= kLarge); },
        "-1 or a number in [0, 1000000000]");
    number(
        "panic-window-percentage", out_.panic_window_percentage,
        [](double v) { return v >= 1 && v <= 100; }, "a number in [1, 100]");
    number(
        "panic-threshold-percentage", out_.panic_threshold_percentage,
        [](double v) { return v > 0 && v <= kLarge; }, "a number above 0, at most 1000000000");
    number("max-scale-up-rate", out_.max_scale_up_rate, above_one,
           "a number above 1, at most 1000000000");
    number("max-scale-down-rate", out_.max_scale_down_rate, above_one,
           "a number above 1, at most 1000000000");
    number(
        "activator-capacity", out_.activator_capacity,
        [](double v) { return v >= 1 && v <= kLarge; }, "a number in [1, 1000000000]");
  }

  void times() {
    constexpr nanoseconds kDay = 24h;
    time("stable-window", out_.stable_window, 6s, 1h, "a duration of whole seconds in [6s, 1h]");
    time("scale-to-zero-grace-period", out_.grace, 1ms, kDay, "a duration in [1ms, 24h]");
    time("scale-to-zero-pod-retention-period", out_.retention, 0s, kDay, "a duration in [0s, 24h]");
    time("scale-down-delay", out_.scale_down_delay, 0s, kDay,
         "a duration of whole seconds in [0s, 24h]");
  }

  void counts() {
    const auto none_if_zero = [](std::optional<std::uint32_t> value) {
      return value == 0U ? std::nullopt : value;
    };
    if (const auto initial = count("initial-scale")) out_.initial_scale = *initial;
    if (const auto min = count("min-scale")) out_.min_scale = *min;
    out_.max_scale = none_if_zero(count("max-scale"));
    out_.max_scale_limit = none_if_zero(count("max-scale-limit"));
    if (out_.initial_scale == 0 && !out_.allow_zero_initial_scale) {
      wrong("initial-scale", "at least 1, because allow-zero-initial-scale is false");
    }
    if (out_.max_scale && out_.min_scale > *out_.max_scale) {
      wrong("min-scale", fmt::format("at most max-scale, which is {}", *out_.max_scale));
    }
    if (!out_.max_scale_limit) return;
    const std::string limit = fmt::format("max-scale-limit, which is {}", *out_.max_scale_limit);
    if (!out_.max_scale) {
      report_.wrong("max-scale", "no bound", "at most " + limit);
    } else if (*out_.max_scale > *out_.max_scale_limit) {
      wrong("max-scale", "at most " + limit);
    }
  }

  void unknown() {
    for (const auto& [key, value] : keys_) {
      if (key.starts_with('_') || known_.contains(key)) continue;
      std::string all;
      for (const std::string& each : known_) all += (all.empty() ? "" : ", ") + each;
      report_.wrong(key, "an unknown key", "one of " + all);
    }
  }

  const StringMap& keys_;
  Report& report_;
  std::set<std::string, std::less<>> known_;
  AutoscalerDefaults out_;
};

/// The keys of a document as texts, whatever YAML took them for.
StringMap keys_of(const nlohmann::json& data, const std::string& path, Report& report) {
  StringMap keys;
  if (!data.is_object()) {
    report.wrong(path, shown(data), "keys of config-autoscaler");
    return keys;
  }
  for (const auto& [key, value] : data.items()) {
    if (value.is_structured() || value.is_null()) {
      report.wrong(join(path, key), shown(value), "a text or a number");
    } else {
      keys[key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  return keys;
}

/// The kubelet's own entries of such a folder begin with a dot.
Checked<AutoscalerDefaults> load_folder(const std::string& folder) {
  StringMap keys;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
    const std::string key = entry.path().filename().string();
    if (key.starts_with(".") || key == "lost+found") continue;
    auto text = file_text(entry.path());
    if (!text) return Problems{folder + ": " + key + ": got a file that cannot be read"};
    keys[key] = std::move(*text);
  }
  if (ec) return Problems{folder + ": got a folder that cannot be read: " + ec.message()};
  return read_autoscaler_defaults(keys, folder);
}

bool is_config_map(const nlohmann::json& document) {
  return document.is_object() &&
         (document.contains("data") || document.value("kind", nlohmann::json()) == "ConfigMap");
}

/// None is the same as an empty one.
const nlohmann::json& data_of(const nlohmann::json& config_map) {
  static const nlohmann::json kNone = nlohmann::json::object();
  const auto data = config_map.find("data");
  return data == config_map.end() || data->is_null() ? kNone : *data;
}

}  // namespace

Checked<AutoscalerDefaults> read_autoscaler_defaults(const StringMap& keys,
                                                     std::string_view where) {
  Report report([where](const std::string&) { return std::string(where); });
  const AutoscalerDefaults out = DefaultsReader(keys, report).read();
  if (!report.problems().empty()) return report.problems();
  return out;
}

Checked<AutoscalerDefaults> load_autoscaler_defaults(const std::string& file) {
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) return load_folder(file);
  const auto text = file_text(file);
  if (!text) {
    return Problems{file + ": got a file that cannot be read, expected a config-autoscaler"};
  }
  const auto documents = read_documents(*text, file);
  if (!documents) return documents.error();
  if (documents->size() != 1) {
    return Problems{fmt::format("{}: got {} documents, expected one", file, documents->size())};
  }
  const Document& document = documents->front();
  const bool config_map = is_config_map(document.value);
  const std::string path = config_map ? "data" : "";
  Report report([&](const std::string& key) {
    return document.at(config_map && key != path ? join(path, key) : key);
  });
  const nlohmann::json& data = config_map ? data_of(document.value) : document.value;
  const StringMap keys = keys_of(data, path, report);
  const AutoscalerDefaults out = DefaultsReader(keys, report).read();
  if (!report.problems().empty()) return report.problems();
  return out;
}

}  // namespace pilotlight::config
