#pragma once

#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/async/deadline_queue.h"
#include "common/async/scope.h"
#include "common/base/system_clock.h"
#include "common/net/certificates.h"
#include "common/net/listener.h"
#include "common/net/tls_files.h"
#include "common/wire/client.h"
#include "common/wire/server.h"
#include "tests/support/held_port.h"

namespace pilotlight::wire {

/// Records what a client tells its owner.
struct Owner final : ClientListener {
  void connected(const Welcome& welcome) override {
    welcomes.push_back(welcome);
    if (on_connected) on_connected();
  }
  void disconnected(std::string_view reason) override { reasons.emplace_back(reason); }
  void received(const Frame& frame) override { frames.push_back(frame); }

  std::function<void()> on_connected;
  std::vector<Welcome> welcomes;
  std::vector<std::string> reasons;
  std::vector<Frame> frames;
};

/// Records what a server tells its owner.
struct Desk final : ServerListener {
  void joined(Peer& peer) override { peers.push_back(&peer); }
  void received(Peer& /*peer*/, const Frame& frame) override { frames.push_back(frame); }
  void left(Peer& peer, std::string_view reason, bool replaced) override {
    std::erase(peers, &peer);
    gone.emplace_back(reason, replaced);
  }

  std::vector<Peer*> peers;
  std::vector<Frame> frames;
  std::vector<std::pair<std::string, bool>> gone;
};

/// A folder with the server's certificate, and the authority that has signed it.
class Identity {
 public:
  Identity() {
    char name[] = "/tmp/wire_link_test.XXXXXX";
    folder_ = mkdtemp(name);
    authority_ = *make_authority("wire", now(), std::chrono::hours(1));
    show({kServerName});
  }
  ~Identity() { std::filesystem::remove_all(folder_); }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  /// A certificate for these names, from now on; files change one after the other.
  void show(const std::vector<std::string>& names) {
    const KeyPair pair = *issue_certificate(authority_, names, now(), std::chrono::hours(1));
    std::ofstream(folder_ + "/tls.crt") << pair.certificate;
    std::ofstream(folder_ + "/tls.key") << pair.key;
  }
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] const std::string& ca() const noexcept { return authority_.certificate; }

 private:
  static WallTime now() {
    return WallTime(
        std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(wall_clock_ns())));
  }
  std::string folder_;
  KeyPair authority_;
};

/// Over plain TCP, and over TLS where the parameter says so.
class WireLink : public ::testing::TestWithParam<bool> {
 protected:
  WireLink() {
    if (GetParam()) {
      identity.emplace();
      files.emplace(loop.get_executor(), clock, deadlines, identity->folder(), TlsSettings());
      EXPECT_EQ(files->load(), std::nullopt);
      trusted.ca = identity->ca();
    }
    ServerOptions options = serving();
    options.token = "secret";
    options.report_period_ms = 250;
    options.epoch = 42;
    server.emplace(loop.get_executor(), clock, options, desk);
    where = *server->listen(port.endpoint());
  }

  ~WireLink() override {
    for (auto& client : clients) client->close();
    if (server) scope.spawn(server->stop());
    EXPECT_TRUE(run_until([this] { return scope.size() == 0; })) << "something did not end";
  }

  [[nodiscard]] ServerOptions serving() const {
    ServerOptions options;
    options.tls = files ? &*files : nullptr;
    return options;
  }

  static Hello hello(Role role, const std::string& replica, std::uint64_t epoch) {
    Hello say;
    say.role = role;
    if (role == Role::sidecar) say.revision = RevisionKey{"default", "iris-00001"};
    say.replica = replica;
    say.epoch = epoch;
    say.token = "secret";
    return say;
  }

  Client& connect(Hello say, Owner& owner) { return connect(std::move(say), owner, trusted); }

  Client& connect(Hello say, Owner& owner, CredentialSources credentials) {
    clients.push_back(std::make_unique<Client>(loop.get_executor(), clock, where, std::move(say),
                                               owner, random, std::move(credentials)));
    scope.spawn(clients.back()->run());
    return *clients.back();
  }

  /// Runs the loop until `done`, for 60 s at most.
  bool run_until(const std::function<bool()>& done) {
    const TimePoint deadline = clock.now() + std::chrono::seconds(60);
    while (!done() && clock.now() < deadline) {
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(10));
    }
    return done();
  }

  asio::io_context loop{1};
  SystemClock clock{loop};
  Scope scope{loop.get_executor()};
  DeadlineQueue deadlines;
  std::mt19937_64 random{1};
  std::optional<Identity> identity;
  std::optional<TlsFiles> files;
  CredentialSources trusted;
  std::deque<Owner> owners;  // outlive the clients
  Desk desk;
  test::HeldPort port;
  std::optional<Server> server;
  tcp::endpoint where;  // of the server at first
  std::vector<std::unique_ptr<Client>> clients;
};

inline std::string transport_name(const ::testing::TestParamInfo<bool>& parameter) {
  return parameter.param ? "Tls" : "Plain";
}

}  // namespace pilotlight::wire
