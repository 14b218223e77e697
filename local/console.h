#pragma once

#include <string>
#include <vector>

#include "local/story.h"
#include "local/up_plan.h"

namespace pilotlight::local {

/// What `up` says to the terminal: plain lines on stdout, flushed one by one, coloured only when
/// asked to. Problems go to stderr.
class Console {
 public:
  explicit Console(bool colours) : colours_(colours) {}

  void line(const StoryLine& line) const;
  void plain(const std::string& text) const;
  void problem(const std::string& text) const;

  /// The lines of the start: notes, services with URLs, who can reach the gateway.
  void greet(const UpPlan& plan, const asio::ip::tcp::endpoint& api) const;

 private:
  bool colours_;
};

}  // namespace pilotlight::local
