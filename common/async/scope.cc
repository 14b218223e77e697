#include "common/async/scope.h"

#include <cassert>
#include <exception>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace pilotlight {
namespace {

/// True for what Asio throws into a task that awaits again after its cancellation.
bool is_cancellation(const std::exception_ptr& escaped) noexcept {
  try {
    std::rethrow_exception(escaped);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

Scope::~Scope() { assert(tasks_.empty()); }

void Scope::spawn(Task<> task) {
  if (spare_.empty()) spare_.emplace_back();
  const auto place = spare_.begin();
  tasks_.splice(tasks_.end(), spare_, place);
  auto on_end = [this, place](const std::exception_ptr& escaped) {
    if (escaped && !is_cancellation(escaped)) std::terminate();
    spare_.splice(spare_.begin(), tasks_, place);
    if (tasks_.empty()) empty_.cancel();
  };
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(place->slot(), std::move(on_end)));
}

void Scope::cancel(asio::cancellation_type how) {
  for (auto next = tasks_.begin(); next != tasks_.end();) (next++)->emit(how);
}

Task<> Scope::join() {
  while (!tasks_.empty()) {
    empty_.expires_at(ShardTimer::time_point::max());
    co_await empty_.async_wait(use_tuple);
  }
}

}  // namespace pilotlight
