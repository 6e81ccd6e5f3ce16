#include "core/tensor/processor.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#ifdef __x86_64__
#include <cpuid.h>
#endif

// This file must run on every processor: it is compiled without DAMO_ARCH, and calls no inline function of
// the C++ library, of which the linker might take the copy of another file.
namespace damo {
namespace {

bool processor_has([[maybe_unused]] const char* set) {
#ifdef __x86_64__
  __builtin_cpu_init();
  // clang 14 has no name for the last one.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool fp16 = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 23 & 1) != 0;
  const struct {
    const char* name;
    bool is_there;
  } sets[] = {
      {"sse3", __builtin_cpu_supports("sse3") > 0},
      {"ssse3", __builtin_cpu_supports("ssse3") > 0},
      {"sse4.1", __builtin_cpu_supports("sse4.1") > 0},
      {"sse4.2", __builtin_cpu_supports("sse4.2") > 0},
      {"popcnt", __builtin_cpu_supports("popcnt") > 0},
      {"avx", __builtin_cpu_supports("avx") > 0},
      {"xop", __builtin_cpu_supports("xop") > 0},
      {"fma4", __builtin_cpu_supports("fma4") > 0},
      {"bmi", __builtin_cpu_supports("bmi") > 0},
      {"fma", __builtin_cpu_supports("fma") > 0},
      {"avx2", __builtin_cpu_supports("avx2") > 0},
      {"bmi2", __builtin_cpu_supports("bmi2") > 0},
      {"avx512f", __builtin_cpu_supports("avx512f") > 0},
      {"avx512cd", __builtin_cpu_supports("avx512cd") > 0},
      {"avx512dq", __builtin_cpu_supports("avx512dq") > 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") > 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") > 0},
      {"avx512ifma", __builtin_cpu_supports("avx512ifma") > 0},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") > 0},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni") > 0},
      {"avx512vbmi2", __builtin_cpu_supports("avx512vbmi2") > 0},
      {"avx512bitalg", __builtin_cpu_supports("avx512bitalg") > 0},
      {"avx512vpopcntdq", __builtin_cpu_supports("avx512vpopcntdq") > 0},
      {"gfni", __builtin_cpu_supports("gfni") > 0},
      {"avx512bf16", __builtin_cpu_supports("avx512bf16") > 0},
      {"avx512fp16", fp16},
  };
  for (const auto& known : sets)
    if (std::strcmp(known.name, set) == 0) return known.is_there;
#endif
  return false;
}

// Before the constructors of global objects, which are compiled for DAMO_ARCH.
[[gnu::constructor(101)]] void check_at_start() { require_instructions(compiled_for); }

}  // namespace

const char* instruction_set() { return compiled_level; }

void require_instructions(const char* const* sets) {
  for (; *sets != nullptr; ++sets) {
    if (processor_has(*sets)) continue;
    std::fprintf(stderr,
                 "damo: this processor lacks %s, for which Damo was compiled; compile it here, or with "
                 "-DDAMO_ARCH=x86-64\n",
                 *sets);
    std::_Exit(1);
  }
}

}  // namespace damo
