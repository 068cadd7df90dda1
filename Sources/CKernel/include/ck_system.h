// Calls and constants that Swift cannot see: _GNU_SOURCE names, variadic calls, function-like
// macros. They are compiled in ck_system.c, as a module importer defines no _GNU_SOURCE. Where a
// function returns int, failure is -1 with errno set.
#pragma once

#include <stdint.h>

int ck_gettid(void);

// At most 15 bytes of the name are kept by the kernel.
void ck_name_this_thread(const char *name);

int ck_open_backing(const char *path, int writable, int direct);

// Locks, or unlocks, the bytes by which programs of QEMU say that they write to an image or change
// its size, and that nobody else may (block/file-posix.c: 100 and 200 on, a byte for each
// permission): 0, or negative errno. The lock goes with the open file at the latest.
int ck_lock_image(int descriptor, int locked);

// A file in `directory` that never has a name: it is gone with its last descriptor, whatever ends
// us.
int ck_open_unnamed(const char *directory, int direct);

int ck_set_direct(int descriptor);

// Whether a file's data are in memory alone: 1 for tmpfs, ramfs and hugetlbfs.
int ck_is_in_memory(int descriptor);
int ck_block_device_size(int descriptor, uint64_t *bytes);

// The file may not shrink (F_SEAL_SHRINK).
enum { CK_SEAL_SHRINK = 2 };

// The seals of a file of memory, or -1 with errno.
int ck_file_seals(int descriptor);

int ck_is_tmpfs(const char *path);

// Bytes an ordinary user can still write below `path`, or -1.
int64_t ck_free_bytes(const char *path);

// A write is stable when it returns (RWF_DSYNC of pwritev2(2)).
enum { CK_DURABLE = 2 };

// What a request does with a file.
enum { CK_FILE_READ, CK_FILE_WRITE, CK_FILE_READV, CK_FILE_WRITEV, CK_FILE_FDSYNC };

// Does a request and waits for it: bytes moved, or negative errno. `buffer` is the data (or the
// iovec array, `count` then counts its entries), `flags` are those of pwritev2(2).
int64_t ck_file_perform(int operation, int descriptor, uintptr_t buffer, uint64_t count,
                        int64_t offset, int flags);

int ck_punch_hole(int descriptor, int64_t offset, int64_t length);

int ck_zero_range(int descriptor, int64_t offset, int64_t length);

int ck_preallocate(int descriptor, int64_t length);

int ck_processors(void);

// A blocking eventfd, or -1.
int ck_eventfd(void);
void ck_eventfd_signal(int descriptor);

// Blocks until the eventfd is signalled and takes the count: whether it was. A negative timeout
// waits for ever; a signal to this thread may end a timed wait early.
int ck_eventfd_wait(int descriptor, int64_t timeout_ns);

// The pieces of another process's memory that ck_read_process reads: address and length of each.
enum { CK_PIECE_SIZE = 16, CK_MOST_PIECES = 1024 };
void ck_set_piece(uintptr_t pieces, long index, uint64_t address, uint64_t length);
void ck_set_length(uintptr_t pieces, long index, uint64_t length);

// Reads `count` pieces of the memory of `process` to as many pieces of ours, of the same lengths
// (process_vm_readv(2)). The bytes read, which end before the first piece that is not readable, or
// negative errno if that is the first.
long ck_read_process(int process, uintptr_t to, uintptr_t from, long count);

// Locks a pthread mutex, or fails once `patience` nanoseconds are over.
int ck_lock_within(uintptr_t mutex, uint64_t patience);

// Lets this thread's waits end within `nanoseconds` of their time (PR_SET_TIMERSLACK).
int ck_set_timer_slack(uint64_t nanoseconds);

// Sleeps until CLOCK_MONOTONIC shows `deadline`, or a signal comes.
void ck_sleep_until(uint64_t deadline);

// Maps `length` bytes of a file from `offset` on, to be read only: the address, or negative errno.
intptr_t ck_map_readonly(int descriptor, uint64_t offset, uint64_t length);
int ck_unmap(uintptr_t address, uint64_t length);

// Whether looking at a mapping of the file can never end us: it is sealed against shrinking
// (F_SEAL_SHRINK), and not made of huge pages, of which there may be none left for a hole.
int ck_is_safe_to_map(int descriptor);

// A memory file called `name` that holds `length` bytes of `text` for good, or negative errno.
int ck_memory_note(const char *name, uintptr_t text, uint64_t length);

// An empty memory file called `name` that never becomes shorter (F_SEAL_SHRINK), or negative errno.
int ck_memory_file(const char *name);

// Has the file neither become longer nor take other seals from now on: 0, or -1.
int ck_seal_size(int descriptor);

// A file in `directory` whose name is removed at once, or -1.
int ck_open_unlinked(const char *directory);

// The parts of a device number (major(3)), as /sys/dev/block names them.
uint32_t ck_device_major(uint64_t device);
uint32_t ck_device_minor(uint64_t device);

// O_DIRECT, whose number depends on the architecture.
uint64_t ck_direct_flag(void);

// A file to ask the file system about: opening neither waits nor changes anything. Or -1.
int ck_open_to_look(const char *path);

// Whether FS_NOCOW_FL is set, or -1.
int ck_is_no_cow(int descriptor);

// Contiguous pieces of a file, at most `limit`, or -1.
int64_t ck_extents(int descriptor, int64_t limit);

// A piece of a file, in bytes: where in the file, where in its file system's device, how long.
struct ck_piece {
    uint64_t offset, place, length;
};

// Up to `room` pieces of a file from byte `*from` on, which is moved behind them, or to UINT64_MAX
// when there are no more. Pieces without a place, or whose bytes there are not the file's
// (compressed, encrypted, inline), are left out. How many there are, or negative errno.
int ck_pieces(int descriptor, struct ck_piece *pieces, int room, uint64_t *from);
