// libbpf on plain integers: an object file's programs and maps, by name. Where a function returns
// int, failure is a negative errno, and cl_bpf_complaint may have more to say.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct cl_bpf cl_bpf;

// Reads the object file `bytes`; NULL and an errno if it is none. Nothing is in the kernel yet.
cl_bpf *cl_bpf_open(const void *bytes, size_t count, int *error);

// Takes everything out of the kernel and frees it.
void cl_bpf_close(cl_bpf *object);

// How many arguments the kernel's own types give to a tracepoint; -ENOENT if it has none of the
// name.
int cl_bpf_arguments(const char *tracepoint);

// Leaves a program out when the object is loaded.
int cl_bpf_leave_out(cl_bpf *object, const char *program);

// Gives a map room for so many entries; of a ring, bytes.
int cl_bpf_resize(cl_bpf *object, const char *map, uint32_t entries);

// Puts maps and programs into the kernel.
int cl_bpf_load(cl_bpf *object);

// Lets a loaded program run from now on, until the object is closed.
int cl_bpf_attach(cl_bpf *object, const char *program);

// How often the kernel skipped a loaded program, because it would have interrupted itself.
int64_t cl_bpf_missed(cl_bpf *object, const char *program);

// The descriptor of a loaded map, which the object keeps; -EINVAL where its keys are not of four
// bytes, its values not of `size`, or there is no value for each CPU where `per_cpu` says so.
int cl_bpf_map(cl_bpf *object, const char *map, uint32_t size, int per_cpu);

// CPUs a map of one value each has values of.
int cl_bpf_cpus(void);

// An entry's value; of a map with one for each CPU, cl_bpf_cpus() of them.
int cl_bpf_get(int map, const void *key, void *value);
int cl_bpf_put(int map, const void *key, const void *value);
int cl_bpf_remove(int map, const void *key);

// Moves records of `size` bytes each from the ring `map` to `records`, until it is empty or `room`
// records are there. How many there are.
int cl_bpf_drain(cl_bpf *object, const char *map, void *records, size_t size, int room);

// Of the last failure in this thread what libbpf or the kernel's verifier said, or "".
const char *cl_bpf_complaint(void);

// What an errno means.
const char *cl_bpf_meaning(int error);
