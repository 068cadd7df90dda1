#include "ck_uring.h"
#include "ck_system.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>

typedef struct {
    uint64_t tag;
    int64_t result;
} ck_uring_event;

_Static_assert(sizeof(struct io_uring) <= CK_URING_SIZE, "room for the ring's description");
_Static_assert(sizeof(ck_uring_event) == CK_URING_EVENT_SIZE, "a completion");

int ck_uring_setup(uintptr_t ring, unsigned entries, int event_descriptor) {
    struct io_uring *self = (struct io_uring *)ring;
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
                       IORING_SETUP_TASKRUN_FLAG;
    int error = io_uring_queue_init_params(entries, self, &parameters);
    if (error == -EINVAL) {
        memset(&parameters, 0, sizeof parameters);
        error = io_uring_queue_init_params(entries, self, &parameters);
    }
    if (error < 0) return error;
    // Linux 5.6 brought this together with reads and writes of a plain buffer.
    error = parameters.features & IORING_FEAT_RW_CUR_POS
                ? io_uring_register_eventfd(self, event_descriptor)
                : -ENOSYS;
    if (error == 0) return (int)parameters.sq_entries;
    io_uring_queue_exit(self);
    return error;
}

void ck_uring_destroy(uintptr_t ring) { io_uring_queue_exit((struct io_uring *)ring); }

int ck_uring_descriptor(uintptr_t ring) { return ((struct io_uring *)ring)->ring_fd; }

int ck_uring_prepare(uintptr_t ring, int operation, int descriptor, uintptr_t buffer,
                     uint64_t count, int64_t offset, uint64_t tag, int flags) {
    static const uint8_t codes[] = {
        [CK_FILE_READ] = IORING_OP_READ,     [CK_FILE_WRITE] = IORING_OP_WRITE,
        [CK_FILE_READV] = IORING_OP_READV,   [CK_FILE_WRITEV] = IORING_OP_WRITEV,
        [CK_FILE_FDSYNC] = IORING_OP_FSYNC,
    };
    struct io_uring_sqe *entry = io_uring_get_sqe((struct io_uring *)ring);
    if (entry == NULL) return 0;
    memset(entry, 0, sizeof *entry);
    entry->opcode = codes[operation];
    entry->fd = descriptor;
    entry->user_data = tag;
    if (operation == CK_FILE_FDSYNC) {
        entry->fsync_flags = IORING_FSYNC_DATASYNC;
        return 1;
    }
    entry->addr = buffer;
    entry->len = (uint32_t)count;
    entry->off = (uint64_t)offset;
    entry->rw_flags = flags;
    return 1;
}

unsigned ck_uring_prepared(uintptr_t ring) {
    return io_uring_sq_ready((struct io_uring *)ring);
}

int ck_uring_submit(uintptr_t ring) {
    return io_uring_submit((struct io_uring *)ring);
}

uint64_t ck_uring_take_back_first(uintptr_t ring) {
    struct io_uring_sq *queue = &((struct io_uring *)ring)->sq;
    unsigned mask = queue->ring_mask;
    unsigned first = *queue->khead;
    uint64_t tag = queue->sqes[first & mask].user_data;
    for (unsigned next = first + 1; next != queue->sqe_tail; next++)
        queue->sqes[(next - 1) & mask] = queue->sqes[next & mask];
    // The submission has shown all of them to the kernel, which has taken none.
    queue->sqe_head = --queue->sqe_tail;
    *queue->ktail = queue->sqe_tail;
    return tag;
}

int ck_uring_has_completion(uintptr_t ring) {
    struct io_uring *self = (struct io_uring *)ring;
    if (__atomic_load_n(self->cq.ktail, __ATOMIC_ACQUIRE) != *self->cq.khead) return 1;
    unsigned flags = __atomic_load_n(self->sq.kflags, __ATOMIC_RELAXED);
    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

unsigned ck_uring_reap(uintptr_t ring, unsigned max, uintptr_t events) {
    struct io_uring *self = (struct io_uring *)ring;
    ck_uring_event *to = (ck_uring_event *)events;
    unsigned head = *self->cq.khead;
    unsigned tail = __atomic_load_n(self->cq.ktail, __ATOMIC_ACQUIRE);
    if (head == tail) {
        if (!ck_uring_has_completion(ring)) return 0;
        io_uring_get_events(self);
        tail = __atomic_load_n(self->cq.ktail, __ATOMIC_ACQUIRE);
    }
    unsigned taken = 0;
    while (head != tail && taken < max) {
        const struct io_uring_cqe *entry = &self->cq.cqes[head++ & self->cq.ring_mask];
        to[taken++] = (ck_uring_event){.tag = entry->user_data, .result = entry->res};
    }
    if (taken) __atomic_store_n(self->cq.khead, head, __ATOMIC_RELEASE);
    return taken;
}

int ck_uring_wait(uintptr_t ring) {
    struct io_uring_cqe *entry;
    return io_uring_wait_cqe((struct io_uring *)ring, &entry);
}
