// A library to preload into a program: counts its calls of malloc and all its relatives, in a file
// that a test maps. `operator new` ends in malloc or aligned_alloc, Asio's frames in aligned_alloc.
//
// PILOTLIGHT_ALLOCATIONS names the file: two 64-bit numbers, the count, and whether to print where
// each call came from to stderr (for addr2line; a test sets it once the program is warm).

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

struct Shared {
  std::atomic<std::uint64_t> calls;
  std::atomic<std::uint64_t> trace;
};

Shared* shared = nullptr;
thread_local bool tracing = false;  // what backtrace() allocates is not the program's

__attribute__((constructor)) void map_file() {
  const char* const path = std::getenv("PILOTLIGHT_ALLOCATIONS");
  if (path == nullptr) return;
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) std::abort();
  void* const mapped = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) std::abort();
  close(file);
  shared = static_cast<Shared*>(mapped);
}

void count() {
  if (shared == nullptr || tracing) return;
  shared->calls.fetch_add(1, std::memory_order_relaxed);
  if (shared->trace.load(std::memory_order_relaxed) == 0) return;
  tracing = true;
  std::array<void*, 16> frames{};
  const int depth = backtrace(frames.data(), static_cast<int>(frames.size()));
  backtrace_symbols_fd(frames.data(), depth, STDERR_FILENO);
  static_cast<void>(!write(STDERR_FILENO, "--\n", 3));
  tracing = false;
}

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* old, std::size_t size) {
  count();
  return __libc_realloc(old, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  count();
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}

}  // extern "C"
