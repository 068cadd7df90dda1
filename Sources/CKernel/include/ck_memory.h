// Ordered access to memory that another thread, a guest or the kernel changes at any time.
//
// Addresses are plain integers: what they may point to was checked before (GuestMemory,
// FixedArray). Each load happens exactly once; the compiler can neither repeat nor merge it, so
// that what was validated is what is used.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CK_LOAD(bits, order, ORDER)                                                                \
    static inline uint##bits##_t ck_load##bits##_##order(uintptr_t address) {                      \
        return __atomic_load_n((const uint##bits##_t *)address, ORDER);                            \
    }
#define CK_STORE(bits, order, ORDER)                                                               \
    static inline void ck_store##bits##_##order(uintptr_t address, uint##bits##_t value) {         \
        __atomic_store_n((uint##bits##_t *)address, value, ORDER);                                 \
    }

CK_LOAD(16, relaxed, __ATOMIC_RELAXED)
CK_LOAD(16, acquire, __ATOMIC_ACQUIRE)
CK_LOAD(32, relaxed, __ATOMIC_RELAXED)
CK_LOAD(64, relaxed, __ATOMIC_RELAXED)
CK_LOAD(64, acquire, __ATOMIC_ACQUIRE)
CK_STORE(8, relaxed, __ATOMIC_RELAXED)
CK_STORE(16, relaxed, __ATOMIC_RELAXED)
CK_STORE(16, release, __ATOMIC_RELEASE)
CK_STORE(32, relaxed, __ATOMIC_RELAXED)
CK_STORE(64, relaxed, __ATOMIC_RELAXED)
CK_STORE(64, release, __ATOMIC_RELEASE)

static inline uint8_t ck_load8_relaxed(uintptr_t address) {
    return __atomic_load_n((const uint8_t *)address, __ATOMIC_RELAXED);
}

// Adds to a counter that only the calling thread writes: others read it whole, at no cost to us.
static inline void ck_add64_single_writer(uintptr_t address, uint64_t amount) {
    ck_store64_relaxed(address, ck_load64_relaxed(address) + amount);
}

// The StoreLoad fence of the notification protocol: what we wrote is seen before we read on.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CK_TSAN 1
#endif
#endif
static inline void ck_fence(void) {
#ifdef CK_TSAN
    // ThreadSanitizer does not model fences; an atomic exchange is one it knows.
    static uint32_t word;
    (void)__atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

// Copies bytes out of shared memory once. The barrier makes the copy opaque: no later use of it
// can be served by reading the shared bytes again.
static inline void ck_copy_once(uintptr_t to, uintptr_t from, size_t count) {
    memcpy((void *)to, (const void *)from, count);
    __asm__ volatile("" ::: "memory");
}

// 16 bytes, at any alignment, into two registers. The barrier hides where the values come from, so
// that no later use can be served by a second load; asking for registers spares the way over the
// stack.
static inline void ck_load_words_once(uintptr_t address, uint64_t words[2]) {
    uint64_t low, high;
    memcpy(&low, (const void *)address, sizeof low);
    memcpy(&high, (const void *)(address + 8), sizeof high);
    __asm__ volatile("" : "+r"(low), "+r"(high));
    words[0] = low;
    words[1] = high;
}

// A descriptor of the virtqueue (virtio 1.2 §2.7.5), copied out.
typedef struct {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} ck_descriptor;

static inline ck_descriptor ck_load_descriptor(uintptr_t address) {
    uint64_t words[2];
    ck_load_words_once(address, words);
    ck_descriptor copy;
    memcpy(&copy, words, sizeof copy);
    return copy;
}

static inline void ck_store_descriptor(uintptr_t address, ck_descriptor value) {
    memcpy((void *)address, &value, sizeof value);
}

// The header of a virtio-blk request (virtio 1.2 §5.2.6), copied out. The same shape as a segment
// of DISCARD and WRITE ZEROES, whose words are sector, number of sectors and flags.
typedef struct {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} ck_block_header;

static inline ck_block_header ck_load_block_header(uintptr_t address) {
    uint64_t words[2];
    ck_load_words_once(address, words);
    ck_block_header copy;
    memcpy(&copy, words, sizeof copy);
    return copy;
}

static inline void ck_store_block_header(uintptr_t address, ck_block_header value) {
    memcpy((void *)address, &value, sizeof value);
}

static inline void ck_fill(uintptr_t address, uint8_t value, size_t count) {
    memset((void *)address, value, count);
}
