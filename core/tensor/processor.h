#pragma once

/// Whether this processor can run what the compiler made for another.
namespace damo {

/// The instruction sets that the compiler was free to use in Damo (DAMO_ARCH), older ones first, then null;
/// named as for __builtin_cpu_supports. None but on x86.
extern const char* const compiled_for[];

/// The level of x86-64 that they reach, "x86-64" to "x86-64-v4"; "aarch64", or "unknown".
extern const char* const compiled_level;
/// The same: where there are libraries for several levels, that of the one that was loaded.
const char* instruction_set();

/// Ends the program with one line on stderr and status 1 if the processor lacks one of `sets`, which ends
/// with null. Every program that uses Damo calls it with `compiled_for`, before main.
void require_instructions(const char* const* sets);

}  // namespace damo
