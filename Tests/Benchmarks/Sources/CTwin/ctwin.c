#include "ctwin.h"

#include <string.h>

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_BARRIER = INT32_MIN };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2 };

typedef struct {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} descriptor;

typedef struct {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} header;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static inline uint16_t load16(uintptr_t address) {
    return __atomic_load_n((const uint16_t *)address, __ATOMIC_RELAXED);
}

// 16 bytes read exactly once.
static inline void load_once(uintptr_t address, void *to) {
    uint64_t words[2];
    memcpy(words, (const void *)address, sizeof words);
    __asm__ volatile("" : "+r"(words[0]), "+r"(words[1]));
    memcpy(to, words, sizeof words);
}

void ctwin_init(ctwin_device *device, uint16_t size, uintptr_t descriptors, uintptr_t avail,
                uintptr_t used, bool indirect, bool event_index, uint64_t sectors) {
    memset(device, 0, sizeof *device);
    device->size = size;
    device->descriptors = descriptors;
    device->avail = avail;
    device->used = used;
    device->indirect = indirect;
    device->event_index = event_index;
    device->sectors = sectors;
    device->block_size = 512;
    device->maximum_transfer = 1u << 25;
}

void ctwin_add_region(ctwin_device *device, uint64_t guest, uint64_t bytes, uintptr_t host) {
    if (device->memory.count == CTWIN_REGIONS) return;
    device->memory.regions[device->memory.count++] = (ctwin_region){guest, bytes, host};
}

// The run of host memory from `guest` to the end of its region; 0 bytes if there is none.
static inline ctwin_segment run_at(const ctwin_memory *memory, uint64_t guest) {
    for (uint32_t i = 0; i < memory->count; i++) {
        const ctwin_region *region = &memory->regions[i];
        uint64_t offset = guest - region->guest;
        if (likely(offset < region->bytes))
            return (ctwin_segment){region->host + offset, region->bytes - offset};
    }
    return (ctwin_segment){0, 0};
}

static inline bool append(ctwin_device *device, descriptor d) {
    bool writable = d.flags & WRITE;
    if (unlikely(d.length == 0)) return false;
    if (unlikely(!writable && device->writable_bytes != 0)) return false;
    if (unlikely(device->readable_bytes + device->writable_bytes + d.length > UINT32_MAX))
        return false;
    uint64_t address = d.address, remaining = d.length;
    for (;;) {
        ctwin_segment run = run_at(&device->memory, address);
        if (unlikely(run.bytes == 0)) return false;
        uint64_t bytes = run.bytes < remaining ? run.bytes : remaining;
        if (unlikely(device->segment_count == CTWIN_SEGMENTS)) return false;
        device->segments[device->segment_count++] = (ctwin_segment){run.address, bytes};
        if (writable) {
            device->writable_bytes += bytes;
        } else {
            device->readable_bytes += bytes;
            device->readable_count++;
        }
        remaining -= bytes;
        if (likely(remaining == 0)) return true;
        if (__builtin_add_overflow(address, bytes, &address)) return false;
    }
}

// Translates the chain at `head` into the segment list.
static inline bool walk(ctwin_device *device, uint16_t head) {
    uintptr_t table = device->descriptors;
    uint32_t table_count = device->size, hops = table_count, index = head;
    bool in_table = false;
    device->segment_count = device->readable_count = 0;
    device->readable_bytes = device->writable_bytes = 0;
    for (;;) {
        descriptor d;
        load_once(table + (uintptr_t)index * 16, &d);
        if (d.flags & INDIRECT) {
            if (in_table || !device->indirect || (d.flags & NEXT)) return false;
            uint32_t count = d.length / 16;
            if (count == 0 || d.length % 16 != 0 || count > 65535) return false;
            ctwin_segment run = run_at(&device->memory, d.address);
            if (run.bytes < d.length) return false;
            table = run.address;
            table_count = hops = count;
            index = 0;
            in_table = true;
            continue;
        }
        if (unlikely(!append(device, d))) return false;
        if (!(d.flags & NEXT)) return true;
        if (unlikely(--hops == 0)) return false;
        index = d.next;
        if (unlikely(index >= table_count)) return false;
    }
}

static inline void give_back(ctwin_device *device, uint16_t head, uint32_t written) {
    device->in_flight[head] = false;
    device->in_flight_count--;
    uintptr_t entry = device->used + 4 + (uintptr_t)(device->used_index & (device->size - 1)) * 8;
    __atomic_store_n((uint32_t *)entry, head, __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)(entry + 4), written, __ATOMIC_RELAXED);
    device->used_index++;
}

// The header when it is cut into several segments.
static __attribute__((noinline)) header gather(ctwin_device *device, uint32_t *first_data) {
    header result;
    uint64_t filled = 0;
    uint32_t index = 0;
    while (filled < sizeof result && index < device->readable_count) {
        ctwin_segment *segment = &device->segments[index];
        uint64_t take = sizeof result - filled < segment->bytes ? sizeof result - filled
                                                                : segment->bytes;
        memcpy((char *)&result + filled, (const void *)segment->address, take);
        filled += take;
        segment->address += take;
        segment->bytes -= take;
        if (segment->bytes == 0) index++;
    }
    __asm__ volatile("" : "+m"(result));
    *first_data = index;
    return result;
}

// Whether a read or write is one we can serve.
static inline bool transfer_is_valid(const ctwin_device *device, uint64_t sector, uint64_t bytes,
                                     bool is_read) {
    return bytes > 0 && (bytes & (device->block_size - 1)) == 0 &&
           bytes <= device->maximum_transfer && sector <= device->sectors &&
           bytes / 512 <= device->sectors - sector && (is_read || !device->read_only) &&
           (is_read ? device->readable_bytes == 16 : device->writable_bytes == 1);
}

// Takes the request apart: the status it is answered with, and how much of it is written. What is
// no request is given back at once, and then this is false.
static inline bool parse(ctwin_device *device, uint16_t head) {
    if (unlikely(device->readable_bytes < 16 || device->writable_bytes < 1)) {
        device->malformed++;
        give_back(device, head, 0);
        return false;
    }
    ctwin_segment *last = &device->segments[device->segment_count - 1];
    uintptr_t status = last->address + last->bytes - 1;
    header h;
    uint32_t first_data = 1;
    if (likely(device->segments[0].bytes == 16)) {
        load_once(device->segments[0].address, &h);
    } else {
        h = gather(device, &first_data);
    }
    uint32_t type = h.type & ~(uint32_t)TYPE_BARRIER;
    ctwin_request *request = &device->requests[head];
    if (likely(type == TYPE_IN || type == TYPE_OUT)) {
        bool is_read = type == TYPE_IN;
        uint64_t bytes = is_read ? device->writable_bytes - 1 : device->readable_bytes - 16;
        if (likely(transfer_is_valid(device, h.sector, bytes, is_read))) {
            last->bytes--;
            uint32_t end = is_read ? device->segment_count - (last->bytes == 0)
                                   : device->readable_count;
            uint32_t first = is_read ? device->readable_count : first_data;
            *request = (ctwin_request){
                h.sector, bytes, status, first, end - first, (uint8_t)type, STATUS_OK};
        } else {
            *request = (ctwin_request){.status = status, .answer = STATUS_IOERR};
        }
    } else if (type == TYPE_FLUSH) {
        *request = (ctwin_request){.status = status, .operation = TYPE_FLUSH};
    } else {
        *request = (ctwin_request){.status = status, .answer = STATUS_UNSUPP};
    }
    return true;
}

// Answers a request: the null backend is done with it as soon as it has it.
static inline void finish(ctwin_device *device, uint16_t head) {
    const ctwin_request *request = &device->requests[head];
    __atomic_store_n((uint8_t *)request->status, request->answer, __ATOMIC_RELAXED);
    bool is_read = request->answer == STATUS_OK && request->operation == TYPE_IN;
    give_back(device, head, is_read ? (uint32_t)request->bytes + 1 : 1);
}

// Publishes the used entries: whether the driver wants an interrupt for them.
static inline bool publish(ctwin_device *device) {
    uint16_t old = device->published, new = device->used_index;
    if (new == old) return false;
    device->published = new;
    __atomic_store_n((uint16_t *)(device->used + 2), new, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!device->event_index) return !(load16(device->avail) & 1);
    uint16_t event = load16(device->avail + 4 + (uintptr_t)device->size * 2);
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

// Loads avail.idx once: how many chains can be taken.
static inline unsigned refresh(ctwin_device *device) {
    if (unlikely(device->broken)) return 0;
    uint16_t index = __atomic_load_n((const uint16_t *)(device->avail + 2), __ATOMIC_ACQUIRE);
    uint16_t available = index - device->last_avail;
    if (likely(available <= device->size)) return available;
    device->broken = true;
    return 0;
}

// Takes the next chain and what is in it: its head, or -1 if it was given back, or -2 if the ring
// is not to be trusted any more.
static inline int pop(ctwin_device *device) {
    uint16_t slot = device->last_avail & (device->size - 1);
    uint16_t head = load16(device->avail + 4 + (uintptr_t)slot * 2);
    if (unlikely(head >= device->size || device->in_flight[head])) {
        device->broken = true;
        return -2;
    }
    device->last_avail++;
    device->in_flight[head] = true;
    device->in_flight_count++;
    if (likely(walk(device, head))) return likely(parse(device, head)) ? head : -1;
    device->malformed++;
    give_back(device, head, 0);
    return -1;
}

unsigned ctwin_turn(ctwin_device *device) {
    unsigned available = refresh(device), taken = 0;
    for (; taken < available; taken++) {
        int head = pop(device);
        if (unlikely(head == -2)) break;
        if (likely(head >= 0)) finish(device, (uint16_t)head);
    }
    if (publish(device)) device->interrupts++;
    return taken;
}

unsigned ctwin_available(ctwin_device *device) { return refresh(device); }

int ctwin_take(ctwin_device *device) { return pop(device); }

bool ctwin_answer(ctwin_device *device, uint16_t head) {
    finish(device, head);
    return publish(device);
}

bool ctwin_has_work(const ctwin_device *device) {
    return !device->broken &&
           __atomic_load_n((const uint16_t *)(device->avail + 2), __ATOMIC_ACQUIRE) !=
               device->last_avail;
}

bool ctwin_arm(ctwin_device *device) {
    uintptr_t event = device->used + 4 + (uintptr_t)device->size * 8;
    __atomic_store_n((uint16_t *)event, device->last_avail, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ctwin_has_work(device);
}
