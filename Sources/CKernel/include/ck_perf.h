// perf_event_open(2), whose attributes are bit-fields and whose call is variadic, on plain
// integers. Where a function returns int, failure is a negative errno.
#pragma once

#include <stdint.h>

// What ck_perf_open is to do besides counting.
enum {
    // The readings of a leader and its group come with one read.
    CK_PERF_GROUP = 1,
    // Each event is recorded: number of the event, thread, time, CPU and its raw fields.
    CK_PERF_RECORD = 2,
    // A reading tells how many records were lost (Linux 6.0).
    CK_PERF_LOST = 4,
};

// Where the shared page of a ring (struct perf_event_mmap_page) has what a reader needs.
enum {
    CK_PERF_DATA_HEAD = 1024,
    CK_PERF_DATA_TAIL = 1032,
};

// The kinds of record a ring has of us.
enum { CK_PERF_LOST_RECORD = 2, CK_PERF_SAMPLE_RECORD = 9, CK_PERF_LOST_SAMPLES_RECORD = 13 };

// Opens a stopped event: `type` 1 with a software counter's number, or 2 with a tracepoint's id, of
// a thread (`cpu` -1) or of a CPU (`thread` -1). `leader` is the group's first descriptor, or -1.
// Of the events, every `period`th is recorded. A descriptor, or negative errno.
int ck_perf_open(uint32_t type, uint64_t config, int thread, int cpu, int leader, uint64_t period,
                 int flags);

// Starts or stops an event, or a leader with its group.
int ck_perf_enable(int descriptor, int enabled, int group);

// Counts only events whose fields fulfil the expression `filter`.
int ck_perf_filter(int descriptor, const char *filter);

// The event's records go to the ring of `other`, which watches the same thread or CPU.
int ck_perf_redirect(int descriptor, int other);

int ck_perf_period(int descriptor, uint64_t period);

// The number that the event's records carry.
int ck_perf_id(int descriptor, uint64_t *id);
