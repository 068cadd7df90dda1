// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// How long chosen threads wait for a CPU after they were woken.
//
// Whoever wakes a thread is another one or an interrupt, so that events opened on the thread do not
// see it; here all wake-ups of the host pass by, and those of others cost a look at one bit.
#include "tally.bpf.h"

struct task_struct {
    int pid;
} KERNEL_TYPE;

enum { filter_bits = 65536 };

// A bit for the last 16 of a thread's id: not set where it is certainly not chosen.
struct filter {
    u64 words[filter_bits / 64];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct filter);
} filter SEC(".maps");

// When the thread of a slot was woken; 0 once it runs.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} woken SEC(".maps");

// One a slot: a thread goes onto one CPU at a time.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct tally);
} tallies SEC(".maps");

static __always_inline u64 *slot_of(u32 thread) {
    u32 zero = 0;
    struct filter *bits = bpf_map_lookup_elem(&filter, &zero);
    if (!bits) return 0;
    u32 bit = thread % filter_bits;
    if (!(bits->words[bit / 64] >> (bit % 64) & 1)) return 0;
    return bpf_map_lookup_elem(&slots, &thread);
}

static __always_inline int stamp(struct task_struct *task) {
    u64 *slot = slot_of((u32)task->pid);
    if (!slot) return 0;
    u32 place = (u32)*slot;
    u64 *since = bpf_map_lookup_elem(&woken, &place);
    // Who is woken twice before it runs waits since the first time.
    if (since && !*since) *since = bpf_ktime_get_ns();
    return 0;
}

// Somebody begins to wake the thread: from here on it waits, for an idle CPU's getting up too.
SEC("tp_btf/sched_waking")
int waking(u64 *arguments) { return stamp((struct task_struct *)arguments[0]); }

// It is on a run queue. One that had not yet left its CPU when the waking began is stamped here.
SEC("tp_btf/sched_wakeup")
int wakeup(u64 *arguments) { return stamp((struct task_struct *)arguments[0]); }

// Who was woken while it ran did not wait for a CPU.
static __always_inline void leave(struct task_struct *previous) {
    u64 *slot = slot_of((u32)previous->pid);
    if (!slot) return;
    u32 place = (u32)*slot;
    u64 *since = bpf_map_lookup_elem(&woken, &place);
    if (since) *since = 0;
}

SEC("tp_btf/sched_switch")
int switched(u64 *arguments) {
    leave((struct task_struct *)arguments[1]);
    struct task_struct *next = (struct task_struct *)arguments[2];
    u64 *slot = slot_of((u32)next->pid);
    if (!slot) return 0;
    u32 place = (u32)*slot;
    u64 *since = bpf_map_lookup_elem(&woken, &place);
    if (!since || !*since) return 0;
    u64 now = bpf_ktime_get_ns(), begin = *since;
    *since = 0;
    struct tally *tally = bpf_map_lookup_elem(&tallies, &place);
    if (tally) count(tally, now > begin ? now - begin : 0);
    return 0;
}

// The kernel shows its structures to programs under the GPL only.
char license_text[] SEC("license") = "Dual MIT/GPL";
