#define _GNU_SOURCE
#include "ck_perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(CK_PERF_DATA_HEAD == offsetof(struct perf_event_mmap_page, data_head), "head");
_Static_assert(CK_PERF_DATA_TAIL == offsetof(struct perf_event_mmap_page, data_tail), "tail");
_Static_assert(CK_PERF_LOST_RECORD == PERF_RECORD_LOST, "lost");
_Static_assert(CK_PERF_SAMPLE_RECORD == PERF_RECORD_SAMPLE, "sample");
_Static_assert(CK_PERF_LOST_SAMPLES_RECORD == PERF_RECORD_LOST_SAMPLES, "lost samples");

// PERF_FORMAT_LOST, which headers before Linux 6.0 do not name.
enum { format_lost = 1 << 4 };

int ck_perf_open(uint32_t type, uint64_t config, int thread, int cpu, int leader, uint64_t period,
                 int flags) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    attributes.type = type;
    attributes.config = config;
    attributes.disabled = leader < 0;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    if (flags & CK_PERF_GROUP) attributes.read_format |= PERF_FORMAT_GROUP;
    if (flags & CK_PERF_LOST) attributes.read_format |= format_lost;
    if (flags & CK_PERF_RECORD) {
        attributes.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                                 PERF_SAMPLE_CPU | PERF_SAMPLE_RAW;
        attributes.sample_period = period;
        attributes.use_clockid = 1;
        attributes.clockid = CLOCK_MONOTONIC;
        // Nobody is woken for a record: the reader comes by.
        attributes.watermark = 1;
        attributes.wakeup_watermark = 1u << 31;
    }
    long descriptor =
        syscall(SYS_perf_event_open, &attributes, thread, cpu, leader, PERF_FLAG_FD_CLOEXEC);
    return descriptor < 0 ? -errno : (int)descriptor;
}

static int result(int returned) { return returned < 0 ? -errno : 0; }

int ck_perf_enable(int descriptor, int enabled, int group) {
    unsigned long request = enabled ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;
    return result(ioctl(descriptor, request, group ? PERF_IOC_FLAG_GROUP : 0));
}

int ck_perf_filter(int descriptor, const char *filter) {
    return result(ioctl(descriptor, PERF_EVENT_IOC_SET_FILTER, filter));
}

int ck_perf_redirect(int descriptor, int other) {
    return result(ioctl(descriptor, PERF_EVENT_IOC_SET_OUTPUT, other));
}

int ck_perf_period(int descriptor, uint64_t period) {
    return result(ioctl(descriptor, PERF_EVENT_IOC_PERIOD, &period));
}

int ck_perf_id(int descriptor, uint64_t *id) {
    return result(ioctl(descriptor, PERF_EVENT_IOC_ID, id));
}
