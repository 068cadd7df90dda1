// The cheapest clock there is: the CPU's own counter where it runs at a constant rate, else
// CLOCK_MONOTONIC nanoseconds. `ck_ticks_are_nanoseconds` tells which.
#pragma once

#include <sched.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

static inline uint64_t ck_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// CPU time of the calling thread.
static inline uint64_t ck_thread_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static inline int64_t ck_wall_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whether the counter runs at one rate in all power states (CPUID 0x80000007, EDX bit 8). Read
// once at load time.
extern const int *const ck_ticks_are_nanoseconds;

static inline uint64_t ck_ticks(void) {
#if defined(__x86_64__)
    if (__builtin_expect(*ck_ticks_are_nanoseconds, 0)) return ck_monotonic_ns();
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return ck_monotonic_ns();
#endif
}

// The same, read only after all loads before it: later than whatever they have seen happen.
static inline uint64_t ck_ticks_after_loads(void) {
#if defined(__x86_64__)
    _mm_lfence();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
    return ck_ticks();
}

static inline int ck_has_nanosecond_ticks(void) { return *ck_ticks_are_nanoseconds; }

static inline void ck_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void ck_yield(void) { sched_yield(); }
