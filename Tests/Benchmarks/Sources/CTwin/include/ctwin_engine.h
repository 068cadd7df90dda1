// A whole engine in C, in the shape of ours: a guest of some vCPU threads with a disk for each LUN,
// and the host's side of two paths, with the null backend.
//
// A C engineer's version of what `Disk`, `JobBook` and `VCPU` do on one side, `Device` and
// `MainLoop` on the other: the same requests, the same counting per request and the same ways to
// wait, so that what differs is the language and the hand.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    // A thread for each LUN, no lock, EVENT_IDX, everything in batches.
    CTWIN_DATA_PLANE,
    // One loop and one mutex for all LUNs, which vCPUs take for each kick; an object, a kick and an
    // interrupt for each request.
    CTWIN_BIG_LOCK,
} ctwin_path;

typedef struct {
    ctwin_path path;
    // 1…1024, and 1…luns.
    unsigned luns, vcpus;
    // Requests each LUN has in flight, 1…256.
    unsigned depth;
    // Whether threads look for work, yielding, before they sleep; else they sleep at once. The main
    // loop always sleeps at once.
    bool polls;
    // The longest such look, nanoseconds.
    uint64_t poll_limit;
} ctwin_options;

typedef struct ctwin_engine ctwin_engine;

// Starts all threads; NULL if there is no memory, no descriptor or no thread for them.
ctwin_engine *ctwin_engine_start(const ctwin_options *options);

// Requests the guest has seen completed, and those of them with a status other than OK.
uint64_t ctwin_engine_requests(const ctwin_engine *engine);
uint64_t ctwin_engine_errors(const ctwin_engine *engine);

// Notifications of both directions that were sent.
uint64_t ctwin_engine_kicks(const ctwin_engine *engine);
uint64_t ctwin_engine_interrupts(const ctwin_engine *engine);

// Lets requests in flight end, stops all threads and frees everything.
void ctwin_engine_stop(ctwin_engine *engine);
