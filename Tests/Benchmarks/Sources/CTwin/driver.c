// The guest's side of the C engine: a driver of virtio-blk and the job that keeps it busy.

#include "engine.h"

#include <string.h>

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { TYPE_IN = 0, TYPE_OUT = 1 };

typedef struct {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
} descriptor;

typedef struct {
    uint32_t type, reserved;
    uint64_t sector;
} header;

static inline uint16_t load16(uintptr_t address, int order) {
    return __atomic_load_n((const uint16_t *)address, order);
}

static inline void store16(uintptr_t address, uint16_t value, int order) {
    __atomic_store_n((uint16_t *)address, value, order);
}

static inline uint64_t next_random(disk *disk) {
    uint64_t value = disk->random += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
}

static inline uint64_t below(disk *disk, uint64_t bound) {
    return (uint64_t)((unsigned __int128)next_random(disk) * bound >> 64);
}

// The bucket of LatencyBuckets.
static inline unsigned bucket_of(uint64_t nanoseconds) {
    uint64_t limit = ((uint64_t)1 << 37) - 1;
    uint64_t value = nanoseconds < limit ? nanoseconds : limit;
    int shift = value < 64 ? 0 : 58 - __builtin_clzll(value);
    return (unsigned)(shift * 32) + (unsigned)(value >> shift);
}

static inline void count_end(disk *disk, const slot *slot, uint8_t status, uint64_t now) {
    disk_counters *counters = disk->counters;
    uint64_t nanoseconds = (now - slot->queued) * disk->tick_factor >> 24;
    if (status != 0) count(&counters->errors, 1);
    if (slot->type == TYPE_IN) {
        count(&counters->reads, 1);
        count(&counters->read_bytes, slot->bytes);
        count(&counters->read_latency, nanoseconds);
        count(&counters->latencies[0][bucket_of(nanoseconds)], 1);
    } else if (slot->type == TYPE_OUT) {
        count(&counters->writes, 1);
        count(&counters->write_bytes, slot->bytes);
        count(&counters->write_latency, nanoseconds);
        count(&counters->latencies[1][bucket_of(nanoseconds)], 1);
    } else {
        count(&counters->flushes, 1);
    }
}

static inline void finish(disk *disk, uint16_t head, uint64_t now) {
    uint16_t index = disk->slot_of_head[head];
    uintptr_t status = disk->headers + (uintptr_t)index * CACHE_LINE + 16;
    put(&disk->counters->queued_at[index], 0);
    count_end(disk, &disk->slots[index], __atomic_load_n((uint8_t *)status, __ATOMIC_RELAXED),
              now);
    disk->free_slot[disk->free_slots++] = index;
}

// Takes back all that is in the used ring.
static unsigned reap(disk *disk) {
    uint64_t now = ticks();
    if (disk->armed) disk->armed = false;
    unsigned taken = 0;
    for (;;) {
        uint16_t index = load16(disk->used + 2, __ATOMIC_ACQUIRE);
        if (index == disk->last_used) return taken;
        if ((uint16_t)(index - disk->last_used) > disk->in_flight) break;
        while (disk->last_used != index) {
            uintptr_t entry =
                disk->used + 4 + (uintptr_t)(disk->last_used & (QUEUE_SIZE - 1)) * 8;
            uint32_t id = __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
            if (id >= QUEUE_SIZE || !disk->placed[id]) goto broken;
            disk->last_used++;
            disk->placed[id] = false;
            disk->next_free[id] = disk->first_free;
            disk->first_free = (uint16_t)id;
            disk->in_flight--;
            finish(disk, (uint16_t)id, now);
            taken++;
        }
    }
broken:
    disk->broken = true;
    count(&disk->counters->errors, 1);
    return taken;
}

static inline void store_descriptor(uintptr_t address, descriptor value) {
    memcpy((void *)address, &value, sizeof value);
}

// Places one request: header, data and status in a table of their own.
static inline void place(disk *disk, uint64_t now) {
    uint16_t index = disk->free_slot[--disk->free_slots];
    bool is_read = below(disk, 100) < 50;
    uint64_t sector = below(disk, disk->blocks) * (BLOCK_BYTES / 512);
    disk->slots[index] = (slot){is_read ? TYPE_IN : TYPE_OUT, BLOCK_BYTES, sector, now};
    uintptr_t at = disk->headers + (uintptr_t)index * CACHE_LINE;
    header request = {is_read ? TYPE_IN : TYPE_OUT, 0, sector};
    memcpy((void *)at, &request, sizeof request);
    __atomic_store_n((uint8_t *)(at + 16), 0xFF, __ATOMIC_RELAXED);

    uint16_t head = disk->first_free;
    uintptr_t table = disk->tables + (uintptr_t)head * TABLE_ENTRIES * 16;
    uint64_t data = disk->buffers + (uint64_t)index * BLOCK_BYTES;
    store_descriptor(table, (descriptor){at + disk->offset, 16, NEXT, 1});
    store_descriptor(table + 16,
                     (descriptor){data, BLOCK_BYTES, NEXT | (is_read ? WRITE : 0), 2});
    store_descriptor(table + 32, (descriptor){at + 16 + disk->offset, 1, WRITE, 0});
    store_descriptor(disk->descriptors + (uintptr_t)head * 16,
                     (descriptor){table + disk->offset, 48, INDIRECT, 0});
    disk->first_free = disk->next_free[head];
    disk->placed[head] = true;
    disk->in_flight++;
    disk->slot_of_head[head] = index;
    put(&disk->counters->queued_at[index], now);
    uintptr_t entry = disk->avail + 4 + (uintptr_t)(disk->avail_index & (QUEUE_SIZE - 1)) * 2;
    store16(entry, head, __ATOMIC_RELAXED);
    disk->avail_index++;
}

// Makes what was placed visible, and kicks if the device wants it.
static void publish(disk *disk) {
    uint16_t old = disk->published, new = disk->avail_index;
    disk->published = new;
    store16(disk->avail + 2, new, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    bool wanted;
    if (disk->notifies_each) {
        wanted = !(load16(disk->used, __ATOMIC_RELAXED) & 1);
    } else {
        uint16_t event = load16(disk->used + 4 + QUEUE_SIZE * 8, __ATOMIC_RELAXED);
        wanted = (uint16_t)(new - event - 1) < (uint16_t)(new - old);
    }
    if (!wanted) {
        count(&disk->counters->kicks_suppressed, 1);
        return;
    }
    count(&disk->counters->kicks, 1);
    if (disk->lock) take_lock(disk->lock, disk->vcpu);
    ring_doorbell(disk->kick);
    if (disk->lock) release_lock(disk->lock);
}

static unsigned issue(disk *disk) {
    uint64_t now = ticks();
    unsigned placed = 0;
    for (; disk->free_slots > 0; placed++) {
        place(disk, now);
        if (disk->notifies_each) publish(disk);
    }
    if (placed > 0 && !disk->notifies_each) publish(disk);
    return placed;
}

static void note_depth(disk *disk) {
    uint64_t now = ticks();
    disk_counters *counters = disk->counters;
    count(&counters->depth_ticks[disk->noted_depth], now - disk->depth_since);
    disk->noted_depth = disk->in_flight;
    disk->depth_since = now;
    put(&counters->depth, disk->in_flight);
    put(&counters->depth_since, now);
}

unsigned disk_turn(disk *disk, bool stopping) {
    if (disk->broken) return 0;
    unsigned moved = disk_has_used(disk) ? reap(disk) : 0;
    if (!stopping && !disk->broken && disk->free_slots > 0) moved += issue(disk);
    if (moved > 0) note_depth(disk);
    return moved;
}

bool disk_has_used(const disk *disk) {
    return !disk->broken && load16(disk->used + 2, __ATOMIC_ACQUIRE) != disk->last_used;
}

bool disk_arm(disk *disk) {
    if (disk->armed) return disk_has_used(disk);
    if (disk->in_flight == 0) return false;
    disk->armed = true;
    if (disk->notifies_each) {
        store16(disk->avail, 0, __ATOMIC_RELAXED);
    } else {
        store16(disk->avail + 4 + QUEUE_SIZE * 2, disk->last_used, __ATOMIC_RELAXED);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return disk_has_used(disk);
}
