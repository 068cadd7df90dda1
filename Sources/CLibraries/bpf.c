#include "cl_bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { link_limit = 16 };

struct cl_bpf {
    struct bpf_object *object;
    struct bpf_link *links[link_limit];
    int link_count;
    struct ring_buffer *ring;
    // Where the drain under way puts what it finds.
    char *records;
    size_t size;
    int room, count;
};

static _Thread_local char complaint[512];

const char *cl_bpf_complaint(void) { return complaint; }

const char *cl_bpf_meaning(int error) { return strerror(error); }

// libbpf prints to stderr what our caller tells the user in its own way. The first line of a
// failure names what failed; of the verifier's log, which comes as one text, the line before its
// statistics says why.
static int keep(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    static _Thread_local char text[1 << 16];
    vsnprintf(text, sizeof text, format, arguments);
    char *end = strstr(text, "\nprocessed ");
    if (end) {
        *end = 0;
        char *line = strrchr(text, '\n');
        snprintf(complaint, sizeof complaint, "the verifier: %.480s", line ? line + 1 : text);
    } else if (!complaint[0]) {
        text[strcspn(text, "\n")] = 0;
        snprintf(complaint, sizeof complaint, "%.500s", text);
    }
    return 0;
}

static void begin(void) {
    complaint[0] = 0;
    libbpf_set_print(keep);
}

cl_bpf *cl_bpf_open(const void *bytes, size_t count, int *error) {
    begin();
    cl_bpf *made = calloc(1, sizeof *made);
    *error = ENOMEM;
    if (!made) return NULL;
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "vblktop");
    made->object = bpf_object__open_mem(bytes, count, &options);
    if (made->object) return made;
    *error = errno;
    free(made);
    return NULL;
}

void cl_bpf_close(cl_bpf *object) {
    for (int index = 0; index < object->link_count; index++)
        bpf_link__destroy(object->links[index]);
    ring_buffer__free(object->ring);
    bpf_object__close(object->object);
    free(object);
}

int cl_bpf_arguments(const char *tracepoint) {
    begin();
    struct btf *types = btf__load_vmlinux_btf();
    if (!types) return -errno;
    char name[128];
    snprintf(name, sizeof name, "btf_trace_%s", tracepoint);
    // A typedef of a pointer to a function, whose first argument is not the tracepoint's.
    int id = btf__find_by_name_kind(types, name, BTF_KIND_TYPEDEF);
    int result = -ENOENT;
    const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(types, id);
    if (type) type = btf__type_by_id(types, type->type);
    if (type && btf_is_ptr(type)) type = btf__type_by_id(types, type->type);
    if (type && btf_is_func_proto(type)) result = btf_vlen(type) - 1;
    btf__free(types);
    return result;
}

static struct bpf_program *program_of(cl_bpf *object, const char *name) {
    return bpf_object__find_program_by_name(object->object, name);
}

static struct bpf_map *map_of(cl_bpf *object, const char *name) {
    return bpf_object__find_map_by_name(object->object, name);
}

int cl_bpf_leave_out(cl_bpf *object, const char *program) {
    struct bpf_program *found = program_of(object, program);
    return found ? bpf_program__set_autoload(found, false) : -ENOENT;
}

int cl_bpf_resize(cl_bpf *object, const char *map, uint32_t entries) {
    struct bpf_map *found = map_of(object, map);
    return found ? bpf_map__set_max_entries(found, entries) : -ENOENT;
}

int cl_bpf_load(cl_bpf *object) {
    begin();
    return bpf_object__load(object->object);
}

int cl_bpf_attach(cl_bpf *object, const char *program) {
    begin();
    struct bpf_program *found = program_of(object, program);
    if (!found) return -ENOENT;
    if (object->link_count == link_limit) return -ENOSPC;
    struct bpf_link *link = bpf_program__attach(found);
    if (!link) return -errno;
    object->links[object->link_count++] = link;
    return 0;
}

int64_t cl_bpf_missed(cl_bpf *object, const char *program) {
    complaint[0] = 0;
    struct bpf_program *found = program_of(object, program);
    if (!found) return -ENOENT;
    struct bpf_prog_info info;
    memset(&info, 0, sizeof info);
    uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(found), &info, &size) != 0) return -errno;
    return (int64_t)info.recursion_misses;
}

int cl_bpf_map(cl_bpf *object, const char *map, uint32_t size, int per_cpu) {
    complaint[0] = 0;
    struct bpf_map *found = map_of(object, map);
    if (!found) return -ENOENT;
    int has_copies = bpf_map__type(found) == BPF_MAP_TYPE_PERCPU_ARRAY;
    if (bpf_map__key_size(found) != 4 || bpf_map__value_size(found) != size ||
        has_copies != (per_cpu != 0))
        return -EINVAL;
    return bpf_map__fd(found);
}

int cl_bpf_cpus(void) { return libbpf_num_possible_cpus(); }

static int result(int returned) {
    complaint[0] = 0;
    return returned < 0 ? -errno : 0;
}

int cl_bpf_get(int map, const void *key, void *value) {
    return result(bpf_map_lookup_elem(map, key, value));
}

int cl_bpf_put(int map, const void *key, const void *value) {
    return result(bpf_map_update_elem(map, key, value, BPF_ANY));
}

int cl_bpf_remove(int map, const void *key) { return result(bpf_map_delete_elem(map, key)); }

// A record counts as taken whatever this returns: negative stops before the next one.
static int take(void *context, void *record, size_t size) {
    cl_bpf *object = context;
    if (size < object->size) return 0;
    memcpy(object->records + (size_t)object->count * object->size, record, object->size);
    return ++object->count < object->room ? 0 : -ENOBUFS;
}

int cl_bpf_drain(cl_bpf *object, const char *map, void *records, size_t size, int room) {
    if (room <= 0) return 0;
    if (!object->ring) {
        begin();
        struct bpf_map *found = map_of(object, map);
        if (!found) return -ENOENT;
        object->ring = ring_buffer__new(bpf_map__fd(found), take, object, NULL);
        if (!object->ring) return -errno;
    }
    object->records = records;
    object->size = size;
    object->room = room;
    object->count = 0;
    int returned = ring_buffer__consume(object->ring);
    if (returned < 0 && returned != -ENOBUFS) return returned;
    return object->count;
}
