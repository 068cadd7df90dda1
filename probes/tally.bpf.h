// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What the BPF programs of vblktop share: the histogram that vblktop counts latencies in, and the
// map from what is counted to where.
//
// The kernel's structures are declared here as far as the programs read them; where their members
// lie, and whether they exist, is found out when a program is loaded (CO-RE).
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;

#define KERNEL_TYPE __attribute__((preserve_access_index))

// Buckets of Telemetry's LatencyBuckets: 32 a power of two, up to 2 to the 37th nanoseconds.
enum { bucket_count = 1056 };

// Latencies counted; all words of 64 bits, as the reader takes them.
struct tally {
    u64 sum;
    u64 buckets[bucket_count];
};

// The place of the highest bit of `word`; 0 for 0.
static __always_inline u32 highest_bit(u32 word) {
    u32 place = 0;
    if (word >> 16) { place += 16; word >>= 16; }
    if (word >> 8) { place += 8; word >>= 8; }
    if (word >> 4) { place += 4; word >>= 4; }
    if (word >> 2) { place += 2; word >>= 2; }
    return place + (word >> 1);
}

// Counts one latency. For a tally that nobody else writes to at the time.
static __always_inline void count(struct tally *tally, u64 nanoseconds) {
    if (nanoseconds >> 37) nanoseconds = (1ull << 37) - 1;
    u32 shift = highest_bit((u32)(nanoseconds >> 5));
    u64 index = shift * 32 + (nanoseconds >> shift);
    // Never so, but the kernel's verifier cannot know.
    if (index >= bucket_count) return;
    tally->sum += nanoseconds;
    tally->buckets[index] += 1;
}

// The number of the slot of what is counted: of a disk by its device number (major << 20 | minor),
// of a thread by its id, of a VM by its process. Its size, like that of the programs' other maps
// with a size of 1, is set before loading.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} slots SEC(".maps");
