// What the benchmarks need of C.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// Heap allocations of all threads between the two marks. The allocator's entry points are ours in
// this program; outside the marks they only pass on.
void cb_allocations_begin(void);
uint64_t cb_allocations_end(void);

// Starts a program on a pseudo-terminal of that size. `arguments` are separated by newlines, the
// first is the path. Returns the terminal's descriptor, or -1; `*pid` is the program.
int cb_start_on_terminal(const char *arguments, int rows, int columns, pid_t *pid);

// Asks the program to end, makes it end after `patience_ms`, and takes its status.
int cb_end(pid_t pid, int terminal, int patience_ms);

// CLOCK_MONOTONIC, nanoseconds.
uint64_t cb_now(void);

// CPU nanoseconds of the calling thread.
uint64_t cb_thread_cpu(void);

// The device that a file's data lie on. Returns 0, or -1 if there is no such file.
int cb_device_below(const char *path, unsigned *major, unsigned *minor);
