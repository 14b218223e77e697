#include "common/net/tls_files.h"

#include <algorithm>
#include <array>

#include <sys/inotify.h>
#include <unistd.h>

#include "common/base/file_text.h"
#include "common/base/log.h"

namespace pilotlight {
namespace {

using namespace std::chrono_literals;

constexpr Duration kQuiet = 50ms;  // a certificate and its key are often written one by one
constexpr Duration kLatest = 1s;   // but somebody may write there all the time
constexpr Duration kLook = 60s;    // as Knative does

constexpr std::uint32_t kChanges = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE;

std::string certificate_path(const std::string& folder) { return folder + "/tls.crt"; }
std::string key_path(const std::string& folder) { return folder + "/tls.key"; }

}  // namespace

TlsFiles::TlsFiles(Executor executor, Clock& clock, DeadlineQueue& deadlines, std::string folder,
                   TlsSettings settings)
    : clock_(clock),
      deadlines_(deadlines),
      folder_(std::move(folder)),
      settings_(std::move(settings)),
      changes_(executor),
      minute_(clock.make_timer()) {}

bool TlsFiles::present(const std::string& folder) {
  return access(certificate_path(folder).c_str(), F_OK) == 0 &&
         access(key_path(folder).c_str(), F_OK) == 0;
}

std::optional<std::string> TlsFiles::load() {
  watch();  // first, so that no change falls between looking and watching
  std::optional<Pair> pair = read();
  if (!pair) return "cannot read tls.crt and tls.key in " + folder_;
  std::optional<std::string> problem = make(std::move(*pair));
  if (problem) return folder_ + ": " + *problem;
  return std::nullopt;
}

void TlsFiles::watch() {
  const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ErrorCode ec(descriptor < 0 ? errno : 0, boost::system::system_category());
  if (!ec) changes_.assign(descriptor, ec);
  if (!ec && inotify_add_watch(descriptor, folder_.c_str(), kChanges) < 0) {
    ec = ErrorCode(errno, boost::system::system_category());
  }
  if (!ec) return;
  log_warn("cannot watch the certificate: looking once a minute",
           {{"folder", folder_}, {"error", ec.message()}});
  ErrorCode ignored;  // without inotify it is not open
  changes_.close(ignored);
}

Task<> TlsFiles::run() {
  Deadline wake(
      deadlines_,
      [](void* self) {
        ErrorCode ignored;  // the wait ends either way
        static_cast<TlsFiles*>(self)->changes_.cancel(ignored);
      },
      this);
  TimePoint look = clock_.now() + kLook;
  TimePoint latest = TimePoint::max();  // of a look that is due because something has changed
  while (!stopped_) {
    ErrorCode ec;
    if (changes_.is_open()) {
      wake.set(look);
      const auto [woken] =
          co_await changes_.async_wait(asio::posix::descriptor_base::wait_read, use_tuple);
      ec = woken;
    } else {
      co_await minute_->wait_until(look);
    }
    if (stopped_) co_return;
    const TimePoint now = clock_.now();
    if (changes_.is_open() && !ec && now < look) {
      forget_events();
      latest = std::min(latest, now + kLatest);
      look = std::min(now + kQuiet, latest);
      if (now < look) continue;
    }
    if (now < look) continue;
    reload();
    look = now + kLook;
    latest = TimePoint::max();
  }
}

void TlsFiles::stop() noexcept {
  stopped_ = true;
  ErrorCode ignored;  // the wait ends either way
  changes_.cancel(ignored);
  minute_->cancel();
}

/// What happened does not matter: the files are looked at.
void TlsFiles::forget_events() noexcept {
  std::array<char, 4096> events;
  while (::read(changes_.native_handle(), events.data(), events.size()) > 0) {
  }
}

std::optional<TlsFiles::Pair> TlsFiles::read() const {
  std::optional<std::string> certificate = file_text(certificate_path(folder_));
  std::optional<std::string> key = file_text(key_path(folder_));
  if (!certificate || !key) return std::nullopt;
  Pair pair;
  pair.certificate = std::move(*certificate);
  pair.key = std::move(*key);
  return pair;
}

std::optional<std::string> TlsFiles::make(Pair pair) {
  TlsContext::Made made = TlsContext::server(settings_, pair.certificate, pair.key);
  last_ = std::move(pair);
  if (!made) return made.error();
  context_ = std::move(*made);
  return std::nullopt;
}

void TlsFiles::reload() {
  std::optional<Pair> pair = read();
  if (!pair) {
    if (last_ != Pair())
      log_warn("the certificate is gone: the old one stays", {{"folder", folder_}});
    last_ = Pair();
    return;
  }
  if (*pair == last_) return;
  const std::optional<std::string> problem = make(std::move(*pair));
  if (problem) {
    log_warn("the new certificate does not work: the old one stays",
             {{"folder", folder_}, {"problem", *problem}});
  } else {
    log_info("Certificate and/or key have changed on disk and were reloaded.");
  }
}

}  // namespace pilotlight
