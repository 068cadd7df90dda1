#pragma once
// Signals, timers and waiting as descriptors. Every function returns a negative errno on failure,
// so that no caller has to fetch errno in time.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// Blocks the signals of `set` (bit n-1 is signal n) in the calling thread and returns a descriptor
// that reads them. Threads created later inherit the mask.
static inline int ck_signals_open(uint64_t set) {
    sigset_t signals;
    sigemptyset(&signals);
    for (int number = 1; number <= 64; number++)
        if (set >> (number - 1) & 1) sigaddset(&signals, number);
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (error != 0) return -error;
    int descriptor = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

// The next signal that arrived, 0 if there is none.
static inline int ck_signal_read(int descriptor) {
    struct signalfd_siginfo info;
    for (;;) {
        ssize_t count = read(descriptor, &info, sizeof info);
        if (count == (ssize_t)sizeof info) return (int)info.ssi_signo;
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno != EAGAIN) return -errno;
        return 0;
    }
}

// Stops this process as Ctrl-Z does and returns when it was continued. SIGCONT is taken from the
// pending signals, so a signalfd does not report it a second time. The kernel ignores the stop in
// an orphaned process group, where nobody could continue us: then this returns at once.
static inline void ck_stop_process(void) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, previous;
    sigset_t stop, resume, mask;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigemptyset(&resume);
    sigaddset(&resume, SIGCONT);
    sigaction(SIGTSTP, &plain, &previous);
    pthread_sigmask(SIG_BLOCK, &resume, &mask);
    raise(SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct timespec now = {0, 0};
    sigtimedwait(&resume, NULL, &now);
    sigaction(SIGTSTP, &previous, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static inline struct timespec ck_timespec(int64_t nanoseconds) {
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    return time;
}

// A CLOCK_MONOTONIC timer, not yet armed.
static inline int ck_timer_open(void) {
    int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

// Arms the timer for the absolute time `first` (0: never) and every `interval` nanoseconds after
// it.
static inline int ck_timer_arm(int descriptor, int64_t first, int64_t interval) {
    struct itimerspec when = {
        .it_interval = ck_timespec(interval), .it_value = ck_timespec(first)};
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

// CLOCK_MONOTONIC now, in nanoseconds: the clock of the timer.
static inline int64_t ck_timer_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Takes the count out of a timerfd or an eventfd; 0 if it was 0.
static inline int64_t ck_counter_take(int descriptor) {
    uint64_t count = 0;
    for (;;) {
        ssize_t size = read(descriptor, &count, sizeof count);
        if (size == (ssize_t)sizeof count) return (int64_t)(count & INT64_MAX);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno != EAGAIN) return -errno;
        return 0;
    }
}

// ppoll without a signal mask; a negative timeout (nanoseconds) waits for ever.
int ck_poll(struct pollfd *descriptors, int count, int64_t timeout);
