#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/proxy_config.h"

namespace pilotlight::config {
namespace {

ProxyConfig sample() {
  ProxyConfig config;
  config.container_concurrency = 3;
  config.serving_revision = "iris-00001";
  config.token = "s3cret";
  config.token_file = "/run/token";
  config.autoscaler_ca = "-----BEGIN CERTIFICATE-----\nQ0E=\n";
  Probe probe;
  probe.kind = Probe::Kind::http;
  config.probes.push_back(probe);
  return config;
}

TEST(ProxyArguments, AreFewAndAnythingElseIsNonsense) {
  EXPECT_EQ(parse_proxy_arguments({}), ProxyAsk::serve);
  EXPECT_EQ(parse_proxy_arguments({"--help"}), ProxyAsk::help);
  EXPECT_EQ(parse_proxy_arguments({"--version"}), ProxyAsk::version);
  EXPECT_EQ(parse_proxy_arguments({"--print-config"}), ProxyAsk::print_text);
  EXPECT_EQ(parse_proxy_arguments({"--print-config", "-o", "text"}), ProxyAsk::print_text);
  EXPECT_EQ(parse_proxy_arguments({"--print-config", "-o", "json"}), ProxyAsk::print_json);
  EXPECT_EQ(parse_proxy_arguments({"--print-config", "-o", "yaml"}), ProxyAsk::nonsense);
  EXPECT_EQ(parse_proxy_arguments({"--print-config", "-o"}), ProxyAsk::nonsense);
  EXPECT_EQ(parse_proxy_arguments({"--help", "--version"}), ProxyAsk::nonsense);
  EXPECT_EQ(parse_proxy_arguments({"serve"}), ProxyAsk::nonsense);
}

TEST(ProxyHelp, NamesEveryVariableThatIsRead) {
  const std::string help = proxy_help();
  const Source all = [&help](const std::string& name) -> std::optional<std::string> {
    const std::size_t last = name.find_last_of('_');
    const bool by_name = help.find(name) != std::string::npos;
    const bool by_family =
        help.find(name.substr(0, name.find('_') + 1) + "*") != std::string::npos ||
        help.find(name.substr(0, last + 1) + "*") != std::string::npos;
    const bool lower = name == "http_proxy";
    EXPECT_TRUE(by_name || by_family || lower) << name;
    return std::nullopt;
  };
  EXPECT_FALSE(load_proxy_config(all)) << "required ones are absent";
}

TEST(ProxyHelp, TextAndJsonSayTheSame) {
  const auto json = nlohmann::json::parse(effective_json(sample()));
  const std::string text = effective_text(sample());
  EXPECT_EQ(json["CONTAINER_CONCURRENCY"], "3");
  EXPECT_EQ(json["PILOTLIGHT_ADMIN_LISTEN"], "0.0.0.0:8022");
  EXPECT_NE(text.find("CONTAINER_CONCURRENCY=3\n"), std::string::npos);
  EXPECT_NE(text.find("SERVING_REVISION=iris-00001\n"), std::string::npos);
  EXPECT_NE(text.find("BEGIN CERTIFICATE-----\\nQ0E=\\n\n"), std::string::npos) << "on one line";
  for (const auto& [name, value] : json.items()) {
    EXPECT_NE(text.find(name + "=" + value.get<std::string>() + "\n"), std::string::npos) << name;
  }
}

TEST(ProxyHelp, TheTokenIsNotShown) {
  EXPECT_EQ(effective_text(sample()).find("s3cret"), std::string::npos);
  EXPECT_EQ(effective_json(sample()).find("s3cret"), std::string::npos);
}

TEST(ProxyHelp, WhatIsShownCanBeGivenBack) {
  const auto shown = nlohmann::json::parse(effective_json(sample()));
  const Source again = [&shown](const std::string& name) -> std::optional<std::string> {
    if (name == "PILOTLIGHT_TOKEN_FILE") return std::nullopt;
    if (name == "SERVING_LOGGING_CONFIG") return "";
    if (!shown.contains(name)) return std::nullopt;
    return shown[name].get<std::string>();
  };
  const auto config = load_proxy_config(again);
  ASSERT_TRUE(config) << config.error().front();
  EXPECT_EQ(config->container_concurrency, 3U);
  ASSERT_EQ(config->probes.size(), 1U);
  EXPECT_EQ(config->probes[0].kind, Probe::Kind::http);
  EXPECT_EQ(config->probes[0].path, "/");
}

}  // namespace
}  // namespace pilotlight::config
