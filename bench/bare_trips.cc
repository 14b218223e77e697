#include "bench/bare_trips.h"

#include <algorithm>
#include <chrono>

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

namespace pilotlight::bench {
namespace {

using Steady = std::chrono::steady_clock;

/// Waits for a byte. @return false at the end of the stream.
bool take_byte(const Fd& socket) {
  pollfd waited{};
  waited.fd = socket.get();
  waited.events = POLLIN;
  if (::poll(&waited, 1, -1) < 0) die("poll");
  char byte = 0;
  const ssize_t got = ::recv(socket.get(), &byte, 1, 0);
  if (got < 0) die("receive a bare byte");
  return got == 1;
}

void send_byte(const Fd& socket) {
  if (::send(socket.get(), "x", 1, MSG_NOSIGNAL) != 1) die("send a bare byte");
}

void end_stream(const Fd& socket) {
  if (::shutdown(socket.get(), SHUT_WR) != 0) die("end a bare stream");
}

}  // namespace

BareTrips::BareTrips(unsigned far_core)
    : out_(make_link()),
      back_(make_link()),
      far_([this, far_core] { turn_round(far_core); }),
      near_([this] { note_arrivals(); }) {}

BareTrips::~BareTrips() {
  if (far_.joinable()) static_cast<void>(finish());
}

BareTrips::Link BareTrips::make_link() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Fd listener = listen_on(address);
  socklen_t length = sizeof(address);
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    die("the address of a bare link");
  }
  Link link;
  link.from = begin_connect(address);
  if (!link.from) die("connect a bare link");
  pollfd waiting{};
  waiting.fd = listener.get();
  waiting.events = POLLIN;
  if (::poll(&waiting, 1, -1) < 0) die("poll");
  link.to = accept_from(listener);
  if (!link.to) die("accept a bare link");
  return link;
}

void BareTrips::send() {
  sent_.push_back(Steady::now());
  send_byte(out_.from);
}

std::vector<double> BareTrips::finish() {
  end_stream(out_.from);
  far_.join();
  near_.join();
  std::vector<double> milliseconds(arrived_.size());
  std::transform(arrived_.begin(), arrived_.end(), sent_.begin(), milliseconds.begin(),
                 [](TimePoint arrived, TimePoint sent) {
                   return std::chrono::duration<double, std::milli>(arrived - sent).count();
                 });
  return milliseconds;
}

void BareTrips::turn_round(unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (::sched_setaffinity(0, sizeof(cores), &cores) != 0) die("the core where bare bytes turn");
  while (take_byte(out_.to)) send_byte(back_.from);
  end_stream(back_.from);
}

void BareTrips::note_arrivals() {
  while (take_byte(back_.to)) arrived_.push_back(Steady::now());
}

}  // namespace pilotlight::bench
