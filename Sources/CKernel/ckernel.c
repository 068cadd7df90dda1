#include "ckernel.h"

static int ticks_are_nanoseconds = 1;
const int *const ck_ticks_are_nanoseconds = &ticks_are_nanoseconds;

__attribute__((constructor)) static void choose_ticks(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (__get_cpuid(0x80000007, &a, &b, &c, &d)) ticks_are_nanoseconds = (d & (1u << 8)) == 0;
#elif defined(__aarch64__)
    ticks_are_nanoseconds = 0;
#endif
}
