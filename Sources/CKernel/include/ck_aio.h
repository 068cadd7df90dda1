// Linux AIO through libaio, on plain integers; errors come back as negative errno.
#pragma once

#include <errno.h>
#include <libaio.h>
#include <stdint.h>
#include <string.h>

#include "ck_system.h"

// The head of the completion ring that the kernel maps at the context's address (fs/aio.c).
typedef struct {
    uint32_t id;
    uint32_t slots;
    uint32_t head;
    uint32_t tail;
    uint32_t magic;
    uint32_t compat_features;
    uint32_t incompat_features;
    uint32_t header_length;
    struct io_event events[];
} ck_aio_ring;

enum { CK_AIO_RING_MAGIC = 0xa10a10a1 };

// A new context for `events` requests in flight: its address, or negative errno.
static inline intptr_t ck_aio_setup(int events) {
    io_context_t context = 0;
    int error = io_setup(events, &context);
    return error < 0 ? error : (intptr_t)context;
}

static inline void ck_aio_destroy(uintptr_t context) { io_destroy((io_context_t)context); }

static inline int ck_aio_ring_is_mapped(uintptr_t context) {
    const ck_aio_ring *ring = (const ck_aio_ring *)context;
    return ring->magic == CK_AIO_RING_MAGIC && ring->incompat_features == 0;
}

// Fills the control block at `block` for a request (CK_FILE_…). `buffer` is the data (or the iovec
// array, `count` then counts its entries), `flags` are those of pwritev2(2). A completion adds 1 to
// `event_descriptor`.
static inline void ck_aio_prepare(uintptr_t block, int operation, int descriptor, uintptr_t buffer,
                                  uint64_t count, int64_t offset, uint64_t tag, int flags,
                                  int event_descriptor) {
    static const short codes[] = {
        [CK_FILE_READ] = IO_CMD_PREAD,     [CK_FILE_WRITE] = IO_CMD_PWRITE,
        [CK_FILE_READV] = IO_CMD_PREADV,   [CK_FILE_WRITEV] = IO_CMD_PWRITEV,
        [CK_FILE_FDSYNC] = IO_CMD_FDSYNC,
    };
    struct iocb *iocb = (struct iocb *)block;
    memset(iocb, 0, sizeof *iocb);
    iocb->data = (void *)(uintptr_t)tag;
    iocb->aio_lio_opcode = codes[operation];
    iocb->aio_fildes = descriptor;
    iocb->aio_rw_flags = flags;
    iocb->u.c.buf = (void *)buffer;
    iocb->u.c.nbytes = count;
    iocb->u.c.offset = offset;
    iocb->u.c.flags = 1; // IOCB_FLAG_RESFD
    iocb->u.c.resfd = event_descriptor;
}

// Hands over the control blocks whose addresses stand at `blocks`: how many were taken, or negative
// errno if not even the first.
static inline long ck_aio_submit(uintptr_t context, long count, uintptr_t blocks) {
    return io_submit((io_context_t)context, count, (struct iocb **)blocks);
}

// Takes up to `max` completions from the mapped ring without a system call. We are its only reader.
static inline long ck_aio_reap(uintptr_t context, long max, uintptr_t events) {
    ck_aio_ring *ring = (ck_aio_ring *)context;
    struct io_event *to = (struct io_event *)events;
    uint32_t head = ring->head;
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    long taken = 0;
    while (head != tail && taken < max) {
        to[taken++] = ring->events[head];
        head = head + 1 == ring->slots ? 0 : head + 1;
    }
    if (taken) __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    return taken;
}

// The same through the kernel, without waiting: how many, or negative errno.
static inline long ck_aio_get_events(uintptr_t context, long max, uintptr_t events) {
    struct timespec now = {0, 0};
    return io_getevents((io_context_t)context, 0, max, (struct io_event *)events, &now);
}

static inline uint64_t ck_aio_event_tag(uintptr_t events, long index) {
    return (uint64_t)(uintptr_t)((struct io_event *)events)[index].data;
}

static inline int64_t ck_aio_event_result(uintptr_t events, long index) {
    return (int64_t)((struct io_event *)events)[index].res;
}

enum { CK_AIO_BLOCK_SIZE = sizeof(struct iocb), CK_AIO_EVENT_SIZE = sizeof(struct io_event) };

// Whether the mapped ring holds a completion.
static inline int ck_aio_has_completion(uintptr_t context) {
    const ck_aio_ring *ring = (const ck_aio_ring *)context;
    return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) != ring->head;
}
