#define _GNU_SOURCE
#include "ck_signal.h"
#include "ck_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int ck_gettid(void) { return (int)syscall(SYS_gettid); }

void ck_name_this_thread(const char *name) {
    // Not pthread_setname_np, which refuses a long name where the kernel cuts it.
    prctl(PR_SET_NAME, name);
}

int ck_open_backing(const char *path, int writable, int direct) {
    return open(path, (writable ? O_RDWR : O_RDONLY) | (direct ? O_DIRECT : 0) | O_CLOEXEC);
}

int ck_lock_image(int descriptor, int locked) {
    static const off_t starts[] = {101, 201};
    for (int index = 0; index < 2; index++) {
        struct flock lock = {.l_type = locked ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET,
                             .l_start = starts[index], .l_len = 3};
        if (fcntl(descriptor, F_OFD_SETLK, &lock) != 0) return -errno;
    }
    return 0;
}

int ck_open_unnamed(const char *directory, int direct) {
    return open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
}

int ck_set_direct(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_DIRECT);
}

int ck_is_in_memory(int descriptor) {
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0) return 0;
    return system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC ||
           system.f_type == HUGETLBFS_MAGIC;
}

int ck_block_device_size(int descriptor, uint64_t *bytes) {
    return ioctl(descriptor, BLKGETSIZE64, bytes);
}

_Static_assert(CK_DURABLE == RWF_DSYNC, "the kernel's number");

int64_t ck_file_perform(int operation, int descriptor, uintptr_t buffer, uint64_t count,
                        int64_t offset, int flags) {
    struct iovec one = {.iov_base = (void *)buffer, .iov_len = count};
    int is_vector = operation == CK_FILE_READV || operation == CK_FILE_WRITEV;
    const struct iovec *parts = is_vector ? (const struct iovec *)buffer : &one;
    int part_count = is_vector ? (int)count : 1;
    ssize_t result;
    do {
        switch (operation) {
        case CK_FILE_FDSYNC: result = fdatasync(descriptor); break;
        case CK_FILE_READ:
        case CK_FILE_READV:
            result = preadv2(descriptor, parts, part_count, offset, flags);
            break;
        default: result = pwritev2(descriptor, parts, part_count, offset, flags);
        }
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

_Static_assert(CK_SEAL_SHRINK == F_SEAL_SHRINK, "the kernel's number");

int ck_file_seals(int descriptor) { return fcntl(descriptor, F_GET_SEALS); }

int ck_is_tmpfs(const char *path) {
    struct statfs information;
    return statfs(path, &information) == 0 && information.f_type == TMPFS_MAGIC;
}

int64_t ck_free_bytes(const char *path) {
    struct statfs information;
    if (statfs(path, &information) != 0) return -1;
    return (int64_t)information.f_bavail * information.f_bsize;
}

int ck_punch_hole(int descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int ck_zero_range(int descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int ck_preallocate(int descriptor, int64_t length) {
    return fallocate(descriptor, 0, 0, length);
}

int ck_processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

int ck_eventfd(void) { return eventfd(0, EFD_CLOEXEC); }

void ck_eventfd_signal(int descriptor) { eventfd_write(descriptor, 1); }

int ck_eventfd_wait(int descriptor, int64_t timeout_ns) {
    if (timeout_ns >= 0) {
        struct pollfd request = {.fd = descriptor, .events = POLLIN};
        struct timespec limit = {timeout_ns / 1000000000, timeout_ns % 1000000000};
        if (ppoll(&request, 1, &limit, NULL) <= 0) return 0;
    }
    eventfd_t count;
    int error;
    do error = eventfd_read(descriptor, &count);
    while (error != 0 && errno == EINTR);
    return error == 0;
}

int ck_open_unlinked(const char *directory) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/vblktop-XXXXXX", directory);
    if (length < 0 || length >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0) unlink(path);
    return descriptor;
}

int ck_poll(struct pollfd *descriptors, int count, int64_t timeout) {
    struct timespec limit = {timeout / 1000000000, timeout % 1000000000};
    int ready = ppoll(descriptors, (nfds_t)count, timeout < 0 ? NULL : &limit, NULL);
    return ready < 0 ? -errno : ready;
}

uint32_t ck_device_major(uint64_t device) { return major(device); }

uint32_t ck_device_minor(uint64_t device) { return minor(device); }

uint64_t ck_direct_flag(void) { return O_DIRECT; }

int ck_open_to_look(const char *path) {
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int ck_is_no_cow(int descriptor) {
    // The kernel writes an int, whatever the request's own name says.
    unsigned int flags = 0;
    if (ioctl(descriptor, FS_IOC_GETFLAGS, &flags) != 0) return -1;
    return (flags & FS_NOCOW_FL) != 0;
}

int64_t ck_extents(int descriptor, int64_t limit) {
    enum { at_once = 256 };
    // The extents stand right behind the head.
    union {
        struct fiemap head;
        char room[sizeof(struct fiemap) + at_once * sizeof(struct fiemap_extent)];
    } map;
    uint64_t start = 0, distance = 0;
    int64_t count = 0, looked_at = 0;
    // Extents that are one piece, written and not, are looked at one by one too.
    while (count < limit && looked_at < 4 * limit) {
        memset(&map, 0, sizeof map);
        map.head.fm_start = start;
        map.head.fm_length = FIEMAP_MAX_OFFSET - start;
        map.head.fm_extent_count = at_once;
        if (ioctl(descriptor, FS_IOC_FIEMAP, &map) != 0) return -1;
        uint32_t found = map.head.fm_mapped_extents;
        if (found == 0 || found > at_once) break;
        for (uint32_t index = 0; index < found; index++) {
            const struct fiemap_extent *extent = &map.head.fm_extents[index];
            uint64_t own = extent->fe_physical - extent->fe_logical;
            if (looked_at++ == 0 || own != distance) count++;
            distance = own;
        }
        const struct fiemap_extent *last = &map.head.fm_extents[found - 1];
        uint64_t next = last->fe_logical + last->fe_length;
        // A file system that gets no further would be asked for ever.
        if (last->fe_flags & FIEMAP_EXTENT_LAST || next <= start) break;
        start = next;
    }
    return count < limit ? count : limit;
}

void ck_set_piece(uintptr_t pieces, long index, uint64_t address, uint64_t length) {
    struct iovec *piece = (struct iovec *)pieces + index;
    piece->iov_base = (void *)(uintptr_t)address;
    piece->iov_len = length;
}

void ck_set_length(uintptr_t pieces, long index, uint64_t length) {
    ((struct iovec *)pieces)[index].iov_len = length;
}

long ck_read_process(int process, uintptr_t to, uintptr_t from, long count) {
    ssize_t read = process_vm_readv(process, (const struct iovec *)to, count,
                                    (const struct iovec *)from, count, 0);
    return read < 0 ? -errno : read;
}

int ck_lock_within(uintptr_t mutex, uint64_t patience) {
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    uint64_t end = (uint64_t)limit.tv_nsec + patience;
    limit.tv_sec += (time_t)(end / 1000000000);
    limit.tv_nsec = (long)(end % 1000000000);
    return pthread_mutex_clocklock((pthread_mutex_t *)mutex, CLOCK_MONOTONIC, &limit);
}

int ck_set_timer_slack(uint64_t nanoseconds) {
    return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

void ck_sleep_until(uint64_t deadline) {
    struct timespec time = {deadline / 1000000000, deadline % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

intptr_t ck_map_readonly(int descriptor, uint64_t offset, uint64_t length) {
    void *start = mmap(NULL, length, PROT_READ, MAP_SHARED, descriptor, (off_t)offset);
    return start == MAP_FAILED ? -errno : (intptr_t)start;
}

int ck_unmap(uintptr_t address, uint64_t length) { return munmap((void *)address, length); }

int ck_is_safe_to_map(int descriptor) {
    struct statfs system;
    int seals = ck_file_seals(descriptor);
    if (seals < 0 || !(seals & F_SEAL_SHRINK)) return 0;
    return fstatfs(descriptor, &system) == 0 && system.f_type != HUGETLBFS_MAGIC;
}

int ck_memory_note(const char *name, uintptr_t text, uint64_t length) {
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -errno;
    const char *next = (const char *)text;
    while (length > 0) {
        ssize_t written = write(descriptor, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            int error = written < 0 ? errno : ENOSPC;
            close(descriptor);
            return -error;
        }
        next += written;
        length -= (uint64_t)written;
    }
    fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    return descriptor;
}

int ck_memory_file(const char *name) {
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0 || fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
        return descriptor < 0 ? -errno : descriptor;
    int error = errno;
    close(descriptor);
    return -error;
}

int ck_seal_size(int descriptor) {
    return fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL);
}

int ck_pieces(int descriptor, struct ck_piece *pieces, int room, uint64_t *from) {
    enum { at_once = 256 };
    union {
        struct fiemap head;
        char room[sizeof(struct fiemap) + at_once * sizeof(struct fiemap_extent)];
    } map;
    memset(&map, 0, sizeof map);
    map.head.fm_start = *from;
    map.head.fm_length = FIEMAP_MAX_OFFSET - *from;
    map.head.fm_extent_count = room < at_once ? (uint32_t)room : at_once;
    if (ioctl(descriptor, FS_IOC_FIEMAP, &map) != 0) return -errno;
    uint32_t found = map.head.fm_mapped_extents;
    const uint32_t placeless = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                               FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED;
    int count = 0;
    uint64_t start = *from;
    *from = UINT64_MAX;
    for (uint32_t index = 0; index < found && index < map.head.fm_extent_count; index++) {
        const struct fiemap_extent *extent = &map.head.fm_extents[index];
        uint64_t next = extent->fe_logical + extent->fe_length;
        if (!(extent->fe_flags & placeless))
            pieces[count++] = (struct ck_piece){
                .offset = extent->fe_logical,
                .place = extent->fe_physical,
                .length = extent->fe_length,
            };
        // A file system that gets no further would be asked for ever.
        *from = extent->fe_flags & FIEMAP_EXTENT_LAST || next <= start ? UINT64_MAX : next;
    }
    return count;
}
