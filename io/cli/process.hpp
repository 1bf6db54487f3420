#pragma once

/// @file
/// The process around a command: signals, threads, memory.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace greekgrid::cli {

/// Blocks SIGTERM and SIGINT for all threads and starts the one that waits for them. On a signal the stop flag is
/// raised; if the command has not ended a few seconds later, pending files are removed and the process exits. SIGPIPE
/// is ignored: a failed write is an error like any other. Call once, before any other thread exists.
void watch_signals();
/// Raised by SIGTERM or SIGINT. A command that asks for it is given time to end by itself.
const std::atomic<bool>& stop_requested();
/// What is told then.
inline constexpr const char* kStoppedMessage =
    "stopped by a signal, nothing was published (a run keeps what is done beside its target: --resume goes on with it)";
/// 128 + the signal that raised it, or 0.
int stop_exit_code();

/// Largest resident set of this process so far, bytes.
std::uint64_t peak_memory_bytes();
/// Resident set of this process now, bytes.
std::uint64_t resident_memory_bytes();
/// The words of the command line, the program's name first.
std::vector<std::string> command_line();
/// Name of this host.
std::string host_name();
/// Model name of the processor.
std::string processor_name();

}  // namespace greekgrid::cli
