#pragma once

namespace damo::apps {

/// From now on a signal that asks the program to end (Ctrl-C, SIGTERM, SIGHUP of a terminal that closes,
/// SIGPIPE of a reader that has ended, SIGXCPU of time that is up) is only noted, unless it was ignored
/// before, as by nohup. A second Ctrl-C ends the program at once.
void catch_stop_signals();

/// The first of them that came; 0 if none did.
int stop_signal();

}  // namespace damo::apps
