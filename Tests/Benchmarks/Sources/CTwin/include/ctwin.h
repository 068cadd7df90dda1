// The device side of a virtio-blk queue as a C engineer would write it: the yardstick for ours.
//
// It does what `DeviceQueue`, `ChainWalk` and `BlockLimits.parse` do, with the same checks and the
// same outcomes (docs/virtqueue.md), over the same memory layout, for a null backend: pop, walk,
// translate, parse, check, status byte, used entry, publish once per batch.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CTWIN_REGIONS = 8, CTWIN_QUEUE_LIMIT = 1024, CTWIN_SEGMENTS = 128 };

typedef struct {
    uint64_t guest;
    uint64_t bytes;
    uintptr_t host;
} ctwin_region;

typedef struct {
    uint32_t count;
    ctwin_region regions[CTWIN_REGIONS];
} ctwin_memory;

typedef struct {
    uintptr_t address;
    uint64_t bytes;
} ctwin_segment;

// What is kept of a request in flight, as our device keeps it.
typedef struct {
    uint64_t sector;
    uint64_t bytes;
    uintptr_t status;
    uint32_t first_segment;
    uint32_t segment_count;
    uint8_t operation;
    uint8_t answer;
} ctwin_request;

typedef struct {
    // The ring, at host addresses.
    uintptr_t descriptors;
    uintptr_t avail;
    uintptr_t used;
    uint16_t size;
    bool event_index;
    bool indirect;
    bool broken;
    uint16_t last_avail;
    uint16_t used_index;
    uint16_t published;
    uint64_t in_flight_count;
    ctwin_memory memory;
    // The disk.
    uint64_t sectors;
    uint64_t block_size;
    uint64_t maximum_transfer;
    bool read_only;
    // The chain being looked at.
    uint32_t segment_count;
    uint32_t readable_count;
    uint64_t readable_bytes;
    uint64_t writable_bytes;
    ctwin_segment segments[CTWIN_SEGMENTS];
    bool in_flight[CTWIN_QUEUE_LIMIT];
    ctwin_request requests[CTWIN_QUEUE_LIMIT];
    // What happened.
    uint64_t malformed;
    uint64_t interrupts;
} ctwin_device;

// A device on the ring whose parts stand at these host addresses.
void ctwin_init(ctwin_device *device, uint16_t size, uintptr_t descriptors, uintptr_t avail,
                uintptr_t used, bool indirect, bool event_index, uint64_t sectors);

// Adds a region of guest memory; at most CTWIN_REGIONS.
void ctwin_add_region(ctwin_device *device, uint64_t guest, uint64_t bytes, uintptr_t host);

// Serves everything in the ring and publishes once: how many chains were given back. `interrupts`
// counts up if the driver wants one for them.
unsigned ctwin_turn(ctwin_device *device);

// The same one by one, as the path under the Big QEMU Lock does it. How many chains there are;
// the next one's head, -1 if it held no request and was given back, -2 if the ring broke; and the
// answer to one: whether the driver wants an interrupt for it.
unsigned ctwin_available(ctwin_device *device);
int ctwin_take(ctwin_device *device);
bool ctwin_answer(ctwin_device *device, uint16_t head);

// Whether there is something in the ring, and the same after asking for a kick (EVENT_IDX).
bool ctwin_has_work(const ctwin_device *device);
bool ctwin_arm(ctwin_device *device);
