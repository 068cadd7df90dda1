// io_uring through liburing, on plain integers; errors come back as negative errno. Compiled in
// ck_uring.c: liburing's header would bring half of the C library into this module.
//
// One thread at a time uses a ring.
#pragma once

#include <stdint.h>

// Bytes of what describes a ring, and of a completion taken from one: tag, then result.
enum { CK_URING_SIZE = 256, CK_URING_EVENT_SIZE = 16 };

// Sets up a ring for at least `entries` requests, described at `ring`, whose completions add to
// `event_descriptor`: how many it takes, or negative errno.
//
// Completions wait until the thread next enters the kernel, with a flag that says so, instead of
// interrupting it; kernels before 5.19 know no such thing and interrupt.
int ck_uring_setup(uintptr_t ring, unsigned entries, int event_descriptor);

void ck_uring_destroy(uintptr_t ring);

int ck_uring_descriptor(uintptr_t ring);

// Queues a request (CK_FILE_…), if there is room: whether there was. `buffer` is the data (or the
// iovec array, `count` then counts its entries), `flags` are those of pwritev2(2).
int ck_uring_prepare(uintptr_t ring, int operation, int descriptor, uintptr_t buffer,
                     uint64_t count, int64_t offset, uint64_t tag, int flags);

// Requests queued and not yet taken by the kernel.
unsigned ck_uring_prepared(uintptr_t ring);

// Hands all queued requests over with one system call: how many were taken, or negative errno if
// none.
int ck_uring_submit(uintptr_t ring);

// After a submission that failed: takes the first queued request back, of at least one. Its tag.
uint64_t ck_uring_take_back_first(uintptr_t ring);

// Whether there is a completion: in the ring, or in the kernel and to be fetched from there.
int ck_uring_has_completion(uintptr_t ring);

// Takes up to `max` completions to `events`, without a system call unless the kernel has some and
// none is in the ring.
unsigned ck_uring_reap(uintptr_t ring, unsigned max, uintptr_t events);

// Waits for a completion to be reaped: 0, or negative errno.
int ck_uring_wait(uintptr_t ring);
