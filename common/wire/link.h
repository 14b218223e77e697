#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/async/scope.h"
#include "common/base/clock.h"
#include "common/net/stream.h"
#include "common/wire/codec.h"
#include "common/wire/outbox.h"

namespace pilotlight::wire {

/// One TCP connection that carries frames, the same for both ends: reads, writes what its outbox
/// holds, answers PING, and notices a peer that has gone silent. Client and Server are built on it.
///
/// A connection that is not established() within 2 s of run() ends; so does one from which nothing
/// was heard for 4 s. Lives on one shard, inside the task that awaits run().
class Link {
 public:
  using OnFrame = std::function<void(Frame)>;

  /// `stream` is connected already, or run() connects it. `outbox` outlives the link.
  Link(TcpStream stream, Clock& clock, Outbox& outbox, OnFrame on_frame);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Connects first.
  [[nodiscard]] Task<> run(tcp::endpoint to);

  /// Serves until the connection has ended, for whatever reason: see reason().
  [[nodiscard]] Task<> run();

  /// HELLO and WELCOME have been exchanged.
  void established() noexcept { established_ = true; }

  /// Something was put into the outbox.
  void wake() noexcept { written_->cancel(); }

  /// Ends the connection now. The first reason stays.
  void end(std::string_view reason) noexcept;

  /// Writes as much of the outbox as the socket takes without waiting, then end().
  void flush_and_end(std::string_view reason) noexcept;

  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] bool bad_frame() const noexcept { return bad_frame_; }
  [[nodiscard]] std::uint64_t skipped() const noexcept { return reader_.skipped(); }

 private:
  [[nodiscard]] Task<> read_all();
  [[nodiscard]] Task<> write_all();
  [[nodiscard]] Task<> watch();
  void take_bytes();
  void take_frames();
  void handle(Frame frame);

  TcpStream stream_;
  Clock& clock_;
  Outbox& outbox_;
  OnFrame on_frame_;
  FrameReader reader_;
  Scope scope_;
  std::unique_ptr<Timer> written_;  // never expires: cancelled when there is something to write
  std::unique_ptr<Timer> silence_;
  TimePoint born_{};
  TimePoint heard_{};
  std::string reason_;
  bool open_ = true;
  bool established_ = false;
  bool writing_ = false;
  bool bad_frame_ = false;
};

}  // namespace pilotlight::wire
