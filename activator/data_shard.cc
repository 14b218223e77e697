#include "activator/data_shard.h"

#include <algorithm>

#include <unistd.h>

namespace pilotlight::activator {

DataShard::DataShard(Parts parts)
    : parts_(std::move(parts)),
      shard_(parts_.index),
      revisions_(
          parts_.index, shard_.executor(),
          HomeParts{shard_.clock(), deadlines_, parts_.budget, parts_.control, parts_.listener}),
      pipeline_(Pipeline::Parts{http_, revisions_, pools_, cells_, *this,
                                std::to_string(parts_.epoch), parts_.budget.limits()}),
      pause_(shard_.clock().make_timer()) {}

DataShard::Door& DataShard::add_door(std::string name) {
  Door& door = doors_.emplace_back();
  door.entrance = std::make_shared<Entrance>();
  door.entrance->name = std::move(name);
  door.listener = std::make_unique<Listener>(
      shard_.executor(), shard_.clock(), [this, &door](TcpStream stream) {
        shard_.scope().spawn(pipeline_.serve(std::move(stream), door.entrance));
      });
  return door;
}

Result<> DataShard::adopt(int descriptor, std::string name) {
  return add_door(std::move(name)).listener->adopt(descriptor);
}

Result<tcp::endpoint> DataShard::bind(const tcp::endpoint& where, bool shared) {
  Door& door = add_door("gateway");
  const Result<> bound = door.listener->bind(where, shared);
  if (!bound) return bound.error();
  return door.listener->local();
}

void DataShard::start() {
  shard_.scope().spawn(runner_.run());
  shard_.scope().spawn(leaves_.run());
  shard_.scope().spawn(sweep());
  shard_.start();
}

void DataShard::accept() {
  pipeline_.became_ready();
  for (Door& door : doors_) shard_.scope().spawn(door.listener->run());
}

void DataShard::open_door(int descriptor, std::uint16_t port, std::string route) {
  Door& door = add_door(std::move(route));
  door.port = port;
  const Result<> adopted = door.listener->adopt(descriptor);
  if (!adopted || draining_) {
    if (!adopted) close(descriptor);
    doors_.pop_back();
    return;
  }
  shard_.scope().spawn(keep_door(std::prev(doors_.end())));
}

DataShard::Doors::iterator DataShard::door_of(std::uint16_t port) {
  return std::find_if(doors_.begin(), doors_.end(),
                      [port](const Door& door) { return door.port == port && !door.closed; });
}

void DataShard::rename_door(std::uint16_t port, const std::string& route) {
  const auto door = door_of(port);
  if (door == doors_.end()) return;
  door->entrance->leaving = true;
  door->entrance = std::make_shared<Entrance>();
  door->entrance->name = route;
}

void DataShard::leave_door(std::uint16_t port) {
  const auto door = door_of(port);
  if (door != doors_.end()) door->entrance->leaving = true;
}

void DataShard::close_door(std::uint16_t port) {
  const auto door = door_of(port);
  if (door == doors_.end()) return;
  door->closed = true;
  door->listener->close();
}

Task<> DataShard::keep_door(Doors::iterator door) {
  co_await door->listener->run();
  doors_.erase(door);
}

void DataShard::announce_end() { pipeline_.announce_end(); }

void DataShard::drain() {
  draining_ = true;
  for (Door& door : doors_) door.listener->close();
  pipeline_.close_connections();
  if (pipeline_.connections() == 0) parts_.quiet();
}

void DataShard::stop() { pipeline_.stop(); }

void DataShard::end() {
  ended_ = true;
  pause_->cancel();
  pools_.clear();
  runner_.stop();
  leaves_.stop();
  shard_.scope().cancel(asio::cancellation_type::terminal);
  shard_.finish();
}

Task<> DataShard::sweep() {
  while (!ended_) {
    co_await pause_->wait_until(shard_.clock().now() + std::chrono::seconds(1));
    pools_.sweep(shard_.clock().now());
  }
}

}  // namespace pilotlight::activator
