#include "activator/data_shard.h"

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
  door.name = std::move(name);
  door.listener = std::make_unique<Listener>(
      shard_.executor(), shard_.clock(), [this, &door](TcpStream stream) {
        shard_.scope().spawn(pipeline_.serve(std::move(stream), door.name));
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

void DataShard::drain() {
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
