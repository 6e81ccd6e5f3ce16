#include "apps/signals.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <string_view>

namespace damo::apps {
namespace {

volatile std::sig_atomic_t first_signal = 0;
volatile double interrupted = 0;  // when the first Ctrl-C came

double now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

// Most signals come twice, from those who end a whole group of processes: `timeout`, a shell whose terminal
// closes. A pipe that nobody reads sends one for each line, that of this handler among them.
void on_signal(int signal) {
  const int error = errno;
  const bool is_first = first_signal == 0;
  if (is_first) first_signal = signal;
  if (signal == SIGINT && interrupted == 0) {
    interrupted = now();
    say("\nstopping after this minibatch; once more to stop at once\n");
  } else if (signal == SIGINT && now() - interrupted > 0.5) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  } else if (signal != SIGINT && signal != SIGPIPE && is_first) {
    say("\nstopping after this minibatch\n");
  }
  errno = error;
}

}  // namespace

void catch_stop_signals() {
  static bool done = false;
  if (done) return;
  done = true;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGPIPE, SIGHUP, SIGTERM, SIGXCPU, SIGINT}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
  }
}

int stop_signal() { return first_signal; }

}  // namespace damo::apps
