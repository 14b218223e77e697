#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>

#include "activator/pipeline.h"
#include "common/async/shard.h"
#include "common/net/listener.h"

namespace pilotlight::activator {

/// One thread of the data path: a loop, its connections, its connection pools, and the homes of its
/// part of the revisions. Made and ended by the control shard; everything else is posted to it.
class DataShard final : TrafficListener {
 public:
  struct Parts {
    std::size_t index;
    ParkBudget& budget;
    Executor control;
    RevisionListener& listener;
    std::uint64_t epoch;
    std::function<void()> quiet;  ///< Called on the data shard: its last connection has ended.
  };
  explicit DataShard(Parts parts);
  DataShard(const DataShard&) = delete;
  DataShard& operator=(const DataShard&) = delete;

  [[nodiscard]] Revisions& revisions() noexcept { return revisions_; }
  [[nodiscard]] const Cells& cells() const noexcept { return cells_; }

  /// Before start(): a listening descriptor to accept on, which it then owns, or an address.
  [[nodiscard]] Result<> adopt(int descriptor, std::string name);
  [[nodiscard]] Result<tcp::endpoint> bind(const tcp::endpoint& where, bool shared);

  /// Runs the loop on a thread of its own.
  void start();

  // Posted by the control shard.
  void accept();        ///< Takes connections from here on; to the kubelet, it is ready.
  void announce_end();  ///< Goes on taking them, each for one answer more.
  void drain();         ///< Takes none any more; connections end with the request they carry.
  void stop();          ///< Ends what runs, now.
  void end();           ///< With no connection left: ends the loop.

  /// The door of a Service: takes connections on this descriptor, for that route (RouteTable's
  /// name of a socket), from here on, until closed or drained; or for another route.
  void open_door(int descriptor, std::uint16_t port, std::string route);
  /// Connections that are there keep their route, for one answer more.
  void rename_door(std::uint16_t port, const std::string& route);
  /// Every answer from here on is the last one of its connection.
  void leave_door(std::uint16_t port);
  void close_door(std::uint16_t port);

  /// Connections at this moment. On the shard.
  [[nodiscard]] std::size_t connections() const noexcept { return pipeline_.connections(); }
  [[nodiscard]] Executor executor() noexcept { return shard_.executor(); }
  /// Waits for the thread.
  void join() { shard_.join(); }

 private:
  struct Door {
    std::shared_ptr<Entrance> entrance;
    std::uint16_t port = 0;  // of a Service's; 0 for those there from the start
    bool closed = false;
    std::unique_ptr<Listener> listener;
  };

  void became_quiet() override {
    if (draining_) parts_.quiet();  // before that somebody else may come
  }
  using Doors = std::list<Door>;
  [[nodiscard]] Door& add_door(std::string name);
  [[nodiscard]] Doors::iterator door_of(std::uint16_t port);
  [[nodiscard]] Task<> keep_door(Doors::iterator door);
  [[nodiscard]] Task<> sweep();

  Parts parts_;
  Shard shard_;
  DeadlineQueue deadlines_;
  DeadlineRunner runner_{deadlines_, shard_.clock()};
  LeaveWatch leaves_{shard_.executor()};
  http::ShardParts http_{shard_.executor(), shard_.clock(), shard_.scope(), deadlines_, leaves_};
  Revisions revisions_;
  Pools pools_{http_};
  Cells cells_;
  Pipeline pipeline_;
  Doors doors_;
  std::unique_ptr<Timer> pause_;
  bool draining_ = false;
  bool ended_ = false;
};

}  // namespace pilotlight::activator
