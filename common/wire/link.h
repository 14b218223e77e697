#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/async/scope.h"
#include "common/base/clock.h"
#include "common/net/transport.h"
#include "common/wire/codec.h"
#include "common/wire/outbox.h"

namespace pilotlight::wire {

/// One connection that carries frames, with TLS or without, the same for both ends: reads, writes
/// what its outbox holds, answers PING, and notices a peer that has gone silent. Client and Server
/// are built on it.
///
/// A connection that is not established() within 2 s of run() ends, whatever of it went on the
/// handshake; so does one from which nothing was heard for 4 s. Lives on one shard, inside the task
/// that awaits run().
class Link {
 public:
  using OnFrame = std::function<void(Frame)>;

  /// How it ended, as far as anybody counts it.
  enum class End : std::uint8_t {
    other,
    tls,        ///< There was no handshake.
    late,       ///< It was not established in time.
    bad_frame,  ///< The peer sent bytes that are none.
  };

  /// `stream` is connected already, or run() connects it. `outbox` outlives the link.
  Link(Transport stream, Clock& clock, Outbox& outbox, OnFrame on_frame);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Connects first.
  [[nodiscard]] Task<> run(tcp::endpoint to);

  /// Serves until the connection has ended, for whatever reason: see reason().
  [[nodiscard]] Task<> run();

  /// HELLO and WELCOME have been exchanged.
  void established() noexcept { established_ = true; }

  /// Hands over no further frame, and reads on no further, until `decision` has ended. It is the
  /// link's from then on: cancelled with it, and ended before run() is. Not while another one runs.
  void hold_for(Task<> decision);

  /// Something was put into the outbox.
  void wake() noexcept { written_->cancel(); }

  /// Ends the connection now. The first reason stays.
  void end(std::string_view reason) noexcept;

  /// Writes as much of the outbox as the socket takes without waiting, then end().
  void flush_and_end(std::string_view reason) noexcept;

  /// When it ends if it is not established.
  [[nodiscard]] TimePoint established_by() const noexcept;

  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] End how() const noexcept { return how_; }
  [[nodiscard]] TcpStream& tcp() noexcept { return stream_.tcp(); }
  [[nodiscard]] std::uint64_t skipped() const noexcept { return reader_.skipped(); }

 private:
  [[nodiscard]] Task<> serve();
  [[nodiscard]] Task<bool> shake_hands();
  [[nodiscard]] Task<> read_all();
  [[nodiscard]] Task<> wait_for_bytes(bool drained);
  [[nodiscard]] Task<> release_after(Task<> decision);
  [[nodiscard]] Task<> write_all();
  [[nodiscard]] Task<> watch();
  [[nodiscard]] bool take_bytes();
  void take_frames();
  void handle(Frame frame);

  Transport stream_;
  Clock& clock_;
  Outbox& outbox_;
  OnFrame on_frame_;
  FrameReader reader_;
  Scope scope_;
  std::unique_ptr<Timer> written_;  // never expires: cancelled when there is something to write
  std::unique_ptr<Timer> silence_;
  std::unique_ptr<Timer> released_;  // made by hold_for(); cancelled when it is over
  TimePoint born_{};
  TimePoint heard_{};
  std::string reason_;
  bool open_ = true;
  bool established_ = false;
  bool writing_ = false;
  bool held_ = false;
  End how_ = End::other;
};

}  // namespace pilotlight::wire
