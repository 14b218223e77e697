#include "common/async/shard.h"

#include <utility>

#include <boost/asio/post.hpp>

namespace pilotlight {

Shard::~Shard() { join(); }

void Shard::post(std::function<void()> what) { asio::post(loop_, std::move(what)); }

void Shard::run() { loop_.run(); }

void Shard::start() {
  thread_ = std::thread([this] { run(); });
}

void Shard::stop() { loop_.stop(); }

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace pilotlight
