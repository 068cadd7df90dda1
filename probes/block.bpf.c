// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Requests to the host's disks, from their issue to the driver until they are complete.
//
// Completion mostly happens in an interrupt, of which perf records only a part. Here every request
// of a chosen disk is followed: times go into histograms in the kernel, and on demand each request
// into a ring.
#include "tally.bpf.h"

struct gendisk {
    int major;
    int first_minor;
} KERNEL_TYPE;

struct request_queue {
    struct gendisk *disk;
} KERNEL_TYPE;

struct request {
    struct request_queue *q;
    unsigned int cmd_flags;
    unsigned int __data_len;
    u64 __sector;
    u64 start_time_ns;
} KERNEL_TYPE;

// Before Linux 5.17 the request knew its disk, and the queue did not.
struct request___with_disk {
    struct gendisk *rq_disk;
} KERNEL_TYPE;

// The last byte of cmd_flags says what is asked for (include/linux/blk_types.h).
enum {
    operation_mask = 255,
    operation_read = 0,
    operation_write = 1,
    operation_flush = 2,
    operation_discard = 3,
    operation_secure_erase = 5,
    operation_zone_append = 7,
    operation_write_zeroes = 9,
};

// A disk's tallies, in this order.
enum { read_service, write_service, read_queued, write_queued, tallies_a_disk };

// What is kept of a request between issue and completion.
struct under_way {
    u64 inserted;
    u64 issued;
    u64 sector;
    u32 bytes;
    u32 operation;
    u32 slot;
    u32 device;
};

// A disk's counts; the reader knows their order.
struct disk_counts {
    u64 issued;
    u64 reads;
    u64 writes;
    u64 flushes;
    u64 discards;
    u64 others;
    u64 read_bytes;
    u64 write_bytes;
    u64 errors;
    u64 requeued;
    // Issued, and not followed for want of room.
    u64 unfollowed;
    // Complete, and not in the ring for want of room.
    u64 lost;
    // Issued anew, and the completion before was never seen.
    u64 unseen;
};

// What the ring has of a request; the reader knows the layout.
struct finished {
    u64 inserted;
    u64 issued;
    u64 completed;
    u64 sector;
    u32 bytes;
    u32 operation;
    u32 device;
    s32 error;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, u64);
    __type(value, struct under_way);
} requests SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct tally);
} tallies SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct disk_counts);
} counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");

// Whether requests go into the ring.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} recording SEC(".maps");

static __always_inline struct gendisk *disk_of(struct request *request) {
    struct request___with_disk *old = (void *)request;
    if (bpf_core_field_exists(old->rq_disk)) return old->rq_disk;
    return request->q->disk;
}

static __always_inline int follow(struct request *request) {
    struct gendisk *disk = disk_of(request);
    if (!disk) return 0;
    u32 device = (u32)disk->major << 20 | (u32)disk->first_minor;
    u64 *slot = bpf_map_lookup_elem(&slots, &device);
    if (!slot) return 0;
    u32 place = (u32)*slot;
    struct disk_counts *disk_counts = bpf_map_lookup_elem(&counts, &place);
    if (!disk_counts) return 0;
    struct under_way now = {
        .inserted = request->start_time_ns,
        .issued = bpf_ktime_get_ns(),
        .sector = request->__sector,
        .bytes = request->__data_len,
        .operation = request->cmd_flags & operation_mask,
        .slot = place,
        .device = device,
    };
    u64 key = (u64)request;
    if (bpf_map_update_elem(&requests, &key, &now, BPF_NOEXIST) != 0) {
        // The kernel skips a program that would interrupt itself: that request's end went by.
        if (bpf_map_update_elem(&requests, &key, &now, BPF_EXIST) != 0) {
            disk_counts->unfollowed += 1;
            return 0;
        }
        disk_counts->unseen += 1;
    }
    disk_counts->issued += 1;
    return 0;
}

// Linux 5.11 dropped the first of two arguments: the one that fits the kernel is loaded.
SEC("tp_btf/block_rq_issue")
int issue(u64 *arguments) { return follow((struct request *)arguments[0]); }

SEC("tp_btf/block_rq_issue")
int issue_after_queue(u64 *arguments) { return follow((struct request *)arguments[1]); }

// A request that the driver gave back is issued once more, or never.
static __always_inline int forget(struct request *request) {
    u64 key = (u64)request;
    struct under_way *kept = bpf_map_lookup_elem(&requests, &key);
    if (!kept) return 0;
    u32 place = kept->slot;
    struct disk_counts *disk_counts = bpf_map_lookup_elem(&counts, &place);
    if (bpf_map_delete_elem(&requests, &key) == 0 && disk_counts) disk_counts->requeued += 1;
    return 0;
}

SEC("tp_btf/block_rq_requeue")
int requeue(u64 *arguments) { return forget((struct request *)arguments[0]); }

SEC("tp_btf/block_rq_requeue")
int requeue_after_queue(u64 *arguments) { return forget((struct request *)arguments[1]); }

static __always_inline void count_times(struct under_way *kept, u64 now, int is_write) {
    u32 first = kept->slot * tallies_a_disk + (is_write ? write_service : read_service);
    struct tally *service = bpf_map_lookup_elem(&tallies, &first);
    if (service) count(service, now > kept->issued ? now - kept->issued : 0);
    // Without accounting (queue/iostats) nobody stamps it.
    if (!kept->inserted) return;
    u32 second = first + read_queued - read_service;
    struct tally *queued = bpf_map_lookup_elem(&tallies, &second);
    if (queued) count(queued, kept->issued > kept->inserted ? kept->issued - kept->inserted : 0);
}

static __always_inline void count_request(
    struct disk_counts *disk_counts, struct under_way *kept, u64 now
) {
    switch (kept->operation) {
    case operation_read:
        disk_counts->reads += 1;
        disk_counts->read_bytes += kept->bytes;
        count_times(kept, now, 0);
        break;
    case operation_write:
    case operation_zone_append:
    case operation_write_zeroes:
        disk_counts->writes += 1;
        disk_counts->write_bytes += kept->bytes;
        count_times(kept, now, 1);
        break;
    case operation_flush: disk_counts->flushes += 1; break;
    case operation_discard:
    case operation_secure_erase: disk_counts->discards += 1; break;
    default: disk_counts->others += 1;
    }
}

static __always_inline void record(
    struct disk_counts *disk_counts, struct under_way *kept, u64 now, s32 error
) {
    u32 zero = 0;
    u64 *is_on = bpf_map_lookup_elem(&recording, &zero);
    if (!is_on || !*is_on) return;
    struct finished *finished = bpf_ringbuf_reserve(&ring, sizeof *finished, 0);
    if (!finished) {
        disk_counts->lost += 1;
        return;
    }
    finished->inserted = kept->inserted;
    finished->issued = kept->issued;
    finished->completed = now;
    finished->sector = kept->sector;
    finished->bytes = kept->bytes;
    finished->operation = kept->operation;
    finished->device = kept->device;
    finished->error = error;
    // Nobody is woken: the reader comes by.
    bpf_ringbuf_submit(finished, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/block_rq_complete")
int complete(u64 *arguments) {
    struct request *request = (struct request *)arguments[0];
    u64 key = (u64)request;
    struct under_way *kept = bpf_map_lookup_elem(&requests, &key);
    if (!kept) return 0;
    // A part of it is done, and the rest goes on.
    if ((u32)arguments[2] < request->__data_len) return 0;
    u64 now = bpf_ktime_get_ns();
    struct under_way copy = *kept;
    u32 place = copy.slot;
    bpf_map_delete_elem(&requests, &key);
    struct disk_counts *disk_counts = bpf_map_lookup_elem(&counts, &place);
    if (!disk_counts) return 0;
    s32 error = (s32)arguments[1];
    if (error) disk_counts->errors += 1;
    count_request(disk_counts, &copy, now);
    record(disk_counts, &copy, now, error);
    return 0;
}

// The kernel shows its structures to programs under the GPL only.
char license_text[] SEC("license") = "Dual MIT/GPL";
