// What the two sides of the C engine share.
#pragma once

#include "ctwin.h"
#include "ctwin_engine.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum {
    QUEUE_SIZE = 256,
    TABLE_ENTRIES = 4,
    BLOCK_BYTES = 4096,
    CACHE_LINE = 64,
    LATENCY_BUCKETS = 1056,
};

// Counters have one writer each and any number of readers.
static inline uint64_t look(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline void put(uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}
static inline void count(uint64_t *word, uint64_t amount) { put(word, look(word) + amount); }

static inline uint64_t monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return monotonic();
#endif
}

static inline void ring_doorbell(int descriptor) { eventfd_write(descriptor, 1); }

// Sleeps until the doorbell has been rung.
static inline void sleep_at(int descriptor) {
    eventfd_t rung;
    while (eventfd_read(descriptor, &rung) != 0) {}
}

// The budget for looking before sleeping, as AdaptivePoll has it.
typedef struct {
    uint64_t longest, budget;
} adaptive_poll;

static inline void work_came(adaptive_poll *poll, uint64_t waited) {
    if (waited <= poll->budget) return;
    uint64_t least = poll->longest / 8;
    uint64_t twice = poll->budget * 2 > least ? poll->budget * 2 : least;
    if (waited > poll->longest) {
        poll->budget = 0;
    } else {
        poll->budget = twice < poll->longest ? twice : poll->longest;
    }
}

// A request of the guest, from its placing to its end.
typedef struct {
    uint32_t type, bytes;
    uint64_t sector;
    uint64_t queued;
} slot;

// What the guest counts of a LUN.
typedef struct {
    uint64_t reads, writes, flushes, read_bytes, write_bytes, errors;
    uint64_t read_latency, write_latency, kicks, kicks_suppressed;
    uint64_t depth, depth_since;
    uint64_t queued_at[QUEUE_SIZE];
    uint64_t depth_ticks[QUEUE_SIZE + 1];
    uint64_t latencies[2][LATENCY_BUCKETS];
} disk_counters;

// What the device counts of it.
typedef struct {
    uint64_t turns, requests, popped, interrupts, interrupts_suppressed;
    uint64_t busy, polled, sleeps, last_interrupt;
} device_counters;

// Given by the engine's owner.
typedef struct {
    uint64_t guest_stops, devices_stop;
} engine_orders;

// An exit of the old path takes this, and so does whatever serves the old path's devices.
typedef struct {
    pthread_mutex_t mutex;
    struct {
        uint64_t acquisitions, waits, wait_ticks;
        uint64_t padding[5];
    } *threads;
} big_lock;

// The driver's end of one LUN; a vCPU thread owns it.
typedef struct {
    uintptr_t descriptors, avail, used, tables, headers;
    // Guest address of each of these, less its host address.
    uint64_t offset;
    uint64_t buffers;
    uint64_t random;
    uint64_t tick_factor;
    uint64_t blocks;
    disk_counters *counters;
    big_lock *lock;
    unsigned vcpu;
    int kick;
    bool notifies_each, armed, broken;
    uint16_t first_free, avail_index, published, last_used;
    unsigned in_flight, free_slots, noted_depth;
    uint64_t depth_since;
    uint16_t next_free[QUEUE_SIZE], slot_of_head[QUEUE_SIZE], free_slot[QUEUE_SIZE];
    bool placed[QUEUE_SIZE];
    slot slots[QUEUE_SIZE];
} disk;

// Takes back what is done and asks for more: how many requests moved.
unsigned disk_turn(disk *disk, bool stopping);
// Whether the device has completed something; and the same after asking for an interrupt.
bool disk_has_used(const disk *disk);
bool disk_arm(disk *disk);

void take_lock(big_lock *lock, unsigned thread);
static inline void release_lock(big_lock *lock) { pthread_mutex_unlock(&lock->mutex); }
