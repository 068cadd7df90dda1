// The host's side of the C engine, its threads, and how they start and stop.

// For ppoll.
#define _GNU_SOURCE

#include "engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DISK_SECTORS = 1 << 21, CALIBRATION = 5000000, GUEST_START = 0x100000 };

// A request as the old path kept it.
typedef struct {
    uint32_t segment_count;
    ctwin_segment segments[];
} request_object;

// The device's end of one LUN.
typedef struct {
    ctwin_device queue;
    engine_orders *orders;
    adaptive_poll poll;
    bool polls;
    int doorbell, interrupt;
    device_counters counters;
    // The old path's requests by head, and the heads that wait to be answered.
    request_object *objects[QUEUE_SIZE];
    uint16_t done[QUEUE_SIZE];
    unsigned first_done, done_count;
} device;

typedef struct {
    device device __attribute__((aligned(CACHE_LINE)));
    disk disk __attribute__((aligned(CACHE_LINE)));
    disk_counters counters __attribute__((aligned(CACHE_LINE)));
    void *memory;
    size_t memory_bytes;
} lun;

typedef struct {
    ctwin_engine *engine;
    unsigned index;
    int doorbell;
    adaptive_poll poll;
    uint64_t busy, polled, sleeps;
} vcpu;

struct ctwin_engine {
    ctwin_options options;
    engine_orders orders __attribute__((aligned(CACHE_LINE)));
    big_lock lock;
    lun *luns;
    vcpu *vcpus;
    pthread_t *threads;
    unsigned vcpu_threads, device_threads;
};

void take_lock(big_lock *lock, unsigned thread) {
    if (pthread_mutex_trylock(&lock->mutex) == 0) {
        count(&lock->threads[thread].acquisitions, 1);
        return;
    }
    uint64_t since = ticks();
    pthread_mutex_lock(&lock->mutex);
    count(&lock->threads[thread].acquisitions, 1);
    count(&lock->threads[thread].waits, 1);
    count(&lock->threads[thread].wait_ticks, ticks() - since);
}

// MARK: The data plane

static unsigned device_turn(device *device) {
    uint64_t begin = ticks(), interrupts = device->queue.interrupts;
    unsigned taken = ctwin_turn(&device->queue);
    if (taken == 0) return 0;
    device_counters *counters = &device->counters;
    if (device->queue.interrupts != interrupts) {
        put(&counters->last_interrupt, ticks());
        count(&counters->interrupts, 1);
        ring_doorbell(device->interrupt);
    } else {
        count(&counters->interrupts_suppressed, 1);
    }
    count(&counters->popped, taken);
    count(&counters->turns, 1);
    count(&counters->requests, taken);
    count(&counters->busy, ticks() - begin);
    return taken;
}

static bool device_is_ready(const device *device) {
    return ctwin_has_work(&device->queue) || look(&device->orders->devices_stop);
}

static void device_wait(device *device) {
    uint64_t since = ticks(), now = since;
    if (device->polls) {
        bool found = device_is_ready(device);
        while (!found && now - since < device->poll.budget) {
            sched_yield();
            found = device_is_ready(device);
            now = ticks();
        }
        count(&device->counters.polled, now - since);
        if (found) return;
    }
    if (!ctwin_arm(&device->queue) && !device_is_ready(device)) {
        count(&device->counters.sleeps, 1);
        sleep_at(device->doorbell);
    }
    work_came(&device->poll, ticks() - since);
}

static void *run_device(void *argument) {
    device *device = argument;
    unsigned busy = 0;
    for (;;) {
        if (device_turn(device) > 0) {
            if (device->polls && (++busy & 7) == 0) sched_yield();
            continue;
        }
        if (look(&device->orders->devices_stop)) return NULL;
        device_wait(device);
    }
}

// MARK: The old path

// Takes all that is in the ring, an object for each.
static unsigned handle_kick(device *device) {
    unsigned available = ctwin_available(&device->queue), taken = 0;
    for (; taken < available; taken++) {
        int head = ctwin_take(&device->queue);
        if (head == -2) break;
        count(&device->counters.popped, 1);
        if (head == -1) continue;
        uint32_t segments = device->queue.segment_count;
        request_object *object = malloc(sizeof *object + segments * sizeof(ctwin_segment));
        if (!object) abort();
        object->segment_count = segments;
        memcpy(object->segments, device->queue.segments, segments * sizeof(ctwin_segment));
        device->objects[head] = object;
        device->done[(device->first_done + device->done_count++) % QUEUE_SIZE] =
            (uint16_t)head;
    }
    return taken;
}

static void answer_one(device *device) {
    uint16_t head = device->done[device->first_done];
    device->first_done = (device->first_done + 1) % QUEUE_SIZE;
    device->done_count--;
    if (ctwin_answer(&device->queue, head)) {
        put(&device->counters.last_interrupt, ticks());
        count(&device->counters.interrupts, 1);
        ring_doorbell(device->interrupt);
    } else {
        count(&device->counters.interrupts_suppressed, 1);
    }
    count(&device->counters.turns, 1);
    count(&device->counters.requests, 1);
    free(device->objects[head]);
    device->objects[head] = NULL;
}

static unsigned serve(ctwin_engine *engine, struct pollfd *polled) {
    unsigned moved = 0, thread = engine->options.vcpus;
    for (unsigned i = 0; i < engine->options.luns; i++) {
        if (!(polled[i].revents & POLLIN)) continue;
        polled[i].revents = 0;
        sleep_at(polled[i].fd);
        take_lock(&engine->lock, thread);
        moved += handle_kick(&engine->luns[i].device);
        release_lock(&engine->lock);
    }
    for (unsigned i = 0; i < engine->options.luns; i++) {
        while (engine->luns[i].device.done_count > 0) {
            take_lock(&engine->lock, thread);
            answer_one(&engine->luns[i].device);
            release_lock(&engine->lock);
            moved++;
        }
    }
    return moved;
}

static void *run_main_loop(void *argument) {
    ctwin_engine *engine = argument;
    unsigned luns = engine->options.luns;
    struct pollfd *polled = calloc(luns, sizeof *polled);
    if (!polled) abort();
    for (unsigned i = 0; i < luns; i++)
        polled[i] = (struct pollfd){engine->luns[i].device.doorbell, POLLIN, 0};
    for (;;) {
        if (serve(engine, polled) > 0) continue;
        if (look(&engine->orders.devices_stop)) break;
        while (ppoll(polled, luns, NULL, NULL) < 0 && errno == EINTR) {}
    }
    free(polled);
    return NULL;
}

// MARK: The guest

static bool guest_is_ready(const vcpu *vcpu, bool stopping) {
    const ctwin_engine *engine = vcpu->engine;
    unsigned step = engine->options.vcpus;
    for (unsigned i = vcpu->index; i < engine->options.luns; i += step)
        if (disk_has_used(&engine->luns[i].disk)) return true;
    return look(&engine->orders.guest_stops) != stopping;
}

static void guest_wait(vcpu *vcpu, bool stopping) {
    ctwin_engine *engine = vcpu->engine;
    uint64_t since = ticks(), now = since;
    if (engine->options.polls) {
        bool found = guest_is_ready(vcpu, stopping);
        while (!found && now - since < vcpu->poll.budget) {
            sched_yield();
            found = guest_is_ready(vcpu, stopping);
            now = ticks();
        }
        count(&vcpu->polled, now - since);
        if (found) return;
    }
    bool found = false;
    for (unsigned i = vcpu->index; i < engine->options.luns && !found; i += engine->options.vcpus)
        found = disk_arm(&engine->luns[i].disk);
    if (!found && look(&engine->orders.guest_stops) == stopping) {
        count(&vcpu->sleeps, 1);
        sleep_at(vcpu->doorbell);
    }
    work_came(&vcpu->poll, ticks() - since);
}

static void *run_vcpu(void *argument) {
    vcpu *vcpu = argument;
    ctwin_engine *engine = vcpu->engine;
    unsigned step = engine->options.vcpus, luns = engine->options.luns;
    for (;;) {
        bool stopping = look(&engine->orders.guest_stops);
        uint64_t begin = ticks();
        unsigned moved = 0, in_flight = 0;
        for (unsigned i = vcpu->index; i < luns; i += step) {
            disk *disk = &engine->luns[i].disk;
            moved += disk_turn(disk, stopping);
            in_flight += disk->broken ? 0 : disk->in_flight;
        }
        if (moved > 0) {
            count(&vcpu->busy, ticks() - begin);
            continue;
        }
        if (stopping && in_flight == 0) return NULL;
        guest_wait(vcpu, stopping);
    }
}

// MARK: Start and stop

// Nanoseconds a tick, times 2^24.
static uint64_t measure_ticks(void) {
    uint64_t begin = monotonic(), first = ticks(), now;
    while ((now = monotonic()) - begin < CALIBRATION) sched_yield();
    return ((now - begin) << 24) / (ticks() - first);
}

// Maps the LUN's guest memory and puts both ends of its ring there.
static bool set_up(ctwin_engine *engine, unsigned index, uint64_t factor, uint64_t poll_ticks) {
    const ctwin_options *options = &engine->options;
    lun *lun = &engine->luns[index];
    bool old = options->path == CTWIN_BIG_LOCK;
    size_t avail = QUEUE_SIZE * 16, used = avail + 6 + QUEUE_SIZE * 2;
    used = (used + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    size_t tables = used + 6 + QUEUE_SIZE * 8;
    tables = (tables + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    size_t headers = tables + (size_t)QUEUE_SIZE * TABLE_ENTRIES * 16;
    size_t buffers = headers + (size_t)options->depth * CACHE_LINE;
    buffers = (buffers + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    lun->memory_bytes = buffers + (size_t)options->depth * BLOCK_BYTES;
    lun->memory = mmap(NULL, lun->memory_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (lun->memory == MAP_FAILED) return lun->memory = NULL, false;

    uintptr_t host = (uintptr_t)lun->memory;
    uint64_t guest = ((uint64_t)index << 36) + GUEST_START;
    device *device = &lun->device;
    ctwin_init(&device->queue, QUEUE_SIZE, host, host + avail, host + used, true, !old,
               DISK_SECTORS);
    ctwin_add_region(&device->queue, guest, lun->memory_bytes, host);
    device->orders = &engine->orders;
    device->polls = options->polls && !old;
    device->poll = (adaptive_poll){poll_ticks, poll_ticks / 8};
    device->interrupt = engine->vcpus[index % options->vcpus].doorbell;

    disk *disk = &lun->disk;
    disk->descriptors = host;
    disk->avail = host + avail;
    disk->used = host + used;
    disk->tables = host + tables;
    disk->headers = host + headers;
    disk->offset = guest - host;
    disk->buffers = guest + buffers;
    disk->random = index + 1;
    disk->tick_factor = factor;
    disk->blocks = (uint64_t)DISK_SECTORS / (BLOCK_BYTES / 512);
    disk->counters = &lun->counters;
    disk->lock = old ? &engine->lock : NULL;
    disk->vcpu = index % options->vcpus;
    disk->notifies_each = old;
    disk->free_slots = options->depth;
    disk->depth_since = ticks();
    for (unsigned i = 0; i < QUEUE_SIZE; i++) disk->next_free[i] = (uint16_t)(i + 1);
    for (unsigned i = 0; i < options->depth; i++)
        disk->free_slot[i] = (uint16_t)(options->depth - 1 - i);
    disk->kick = device->doorbell = eventfd(0, EFD_CLOEXEC);
    return disk->kick >= 0;
}

static bool start_thread(ctwin_engine *engine, void *(*body)(void *), void *argument) {
    unsigned index = engine->device_threads + engine->vcpu_threads;
    return pthread_create(&engine->threads[index], NULL, body, argument) == 0;
}

static bool start_threads(ctwin_engine *engine) {
    const ctwin_options *options = &engine->options;
    if (options->path == CTWIN_BIG_LOCK) {
        if (!start_thread(engine, run_main_loop, engine)) return false;
        engine->device_threads++;
    } else {
        for (unsigned i = 0; i < options->luns; i++, engine->device_threads++)
            if (!start_thread(engine, run_device, &engine->luns[i].device)) return false;
    }
    for (unsigned i = 0; i < options->vcpus; i++, engine->vcpu_threads++)
        if (!start_thread(engine, run_vcpu, &engine->vcpus[i])) return false;
    return true;
}

static void *zeroed(size_t count, size_t size) {
    void *memory = aligned_alloc(CACHE_LINE, (count * size + 63) / CACHE_LINE * CACHE_LINE);
    if (memory) memset(memory, 0, count * size);
    return memory;
}

ctwin_engine *ctwin_engine_start(const ctwin_options *options) {
    if (options->luns < 1 || options->luns > 1024 || options->vcpus < 1 ||
        options->vcpus > options->luns || options->depth < 1 || options->depth > QUEUE_SIZE)
        return NULL;
    ctwin_engine *engine = zeroed(1, sizeof *engine);
    if (!engine) return NULL;
    engine->options = *options;
    pthread_mutex_init(&engine->lock.mutex, NULL);
    engine->lock.threads = zeroed(options->vcpus + 1, sizeof *engine->lock.threads);
    engine->vcpus = zeroed(options->vcpus, sizeof *engine->vcpus);
    engine->luns = zeroed(options->luns, sizeof *engine->luns);
    engine->threads = zeroed(options->luns + options->vcpus, sizeof *engine->threads);
    if (!engine->lock.threads || !engine->vcpus || !engine->luns || !engine->threads) abort();
    uint64_t factor = measure_ticks();
    uint64_t poll_ticks = (options->poll_limit << 24) / (factor ? factor : 1);
    bool good = true;
    for (unsigned i = 0; i < options->luns; i++) engine->luns[i].device.doorbell = -1;
    for (unsigned i = 0; i < options->vcpus; i++) {
        engine->vcpus[i] = (vcpu){.engine = engine,
                                  .index = i,
                                  .doorbell = eventfd(0, EFD_CLOEXEC),
                                  .poll = {poll_ticks, poll_ticks / 8}};
        good = good && engine->vcpus[i].doorbell >= 0;
    }
    for (unsigned i = 0; good && i < options->luns; i++)
        good = set_up(engine, i, factor, poll_ticks);
    if (good && start_threads(engine)) return engine;
    ctwin_engine_stop(engine);
    return NULL;
}

void ctwin_engine_stop(ctwin_engine *engine) {
    pthread_t *guests = engine->threads + engine->device_threads;
    put(&engine->orders.guest_stops, 1);
    for (unsigned i = 0; i < engine->vcpu_threads; i++) ring_doorbell(engine->vcpus[i].doorbell);
    for (unsigned i = 0; i < engine->vcpu_threads; i++) pthread_join(guests[i], NULL);
    put(&engine->orders.devices_stop, 1);
    for (unsigned i = 0; i < engine->options.luns; i++)
        if (engine->luns[i].device.doorbell >= 0) ring_doorbell(engine->luns[i].device.doorbell);
    for (unsigned i = 0; i < engine->device_threads; i++) pthread_join(engine->threads[i], NULL);
    for (unsigned i = 0; i < engine->options.luns; i++) {
        lun *lun = &engine->luns[i];
        if (lun->device.doorbell >= 0) close(lun->device.doorbell);
        if (lun->memory) munmap(lun->memory, lun->memory_bytes);
    }
    for (unsigned i = 0; i < engine->options.vcpus; i++)
        if (engine->vcpus[i].doorbell >= 0) close(engine->vcpus[i].doorbell);
    pthread_mutex_destroy(&engine->lock.mutex);
    free(engine->lock.threads);
    free(engine->threads);
    free(engine->vcpus);
    free(engine->luns);
    free(engine);
}

#define SUM(name, expression)                                                                      \
    uint64_t name(const ctwin_engine *engine) {                                                    \
        uint64_t sum = 0;                                                                          \
        for (unsigned i = 0; i < engine->options.luns; i++) {                                      \
            const lun *lun = &engine->luns[i];                                                     \
            sum += expression;                                                                     \
        }                                                                                          \
        return sum;                                                                                \
    }

SUM(ctwin_engine_requests,
    look(&lun->counters.reads) + look(&lun->counters.writes) + look(&lun->counters.flushes))
SUM(ctwin_engine_errors, look(&lun->counters.errors))
SUM(ctwin_engine_kicks, look(&lun->counters.kicks))
SUM(ctwin_engine_interrupts, look(&lun->device.counters.interrupts))
