#include "restore.h"

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "cterminal.h"

// What a handler needs, prepared while nothing is wrong: it may only call what is safe in a signal.
static atomic_int screen_is_up;
static int terminal = -1, screen = -1, nowhere = -1;
static struct termios shell_modes;
static char leave[512];
static size_t leave_length;

// Standard error while the screen is up: a file in memory, and where it really goes.
static int real_stderr = -1, memory = -1;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGQUIT};
enum { FATAL_COUNT = sizeof fatal / sizeof *fatal };
static struct sigaction previous[FATAL_COUNT];

static void write_all(int descriptor, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}

// Adds a terminfo string without its padding ($<5>), which no terminal of today needs.
static void add(const char *string) {
    if (string == NULL || string == (char *)-1) return;
    while (*string != 0 && leave_length < sizeof leave) {
        const char *end = strncmp(string, "$<", 2) == 0 ? strchr(string, '>') : NULL;
        if (end != NULL)
            string = end + 1;
        else
            leave[leave_length++] = *string++;
    }
}

// Plain attributes and colours, no mouse, no keypad, a visible cursor, the shell's own screen. A
// terminal without a second screen gets a new line at its lower end instead.
static void prepare_leave(void) {
    leave_length = 0;
    add(exit_attribute_mode);
    add(orig_pair);
    if (key_mouse != NULL) add("\033[?1006l\033[?1000l");
    add(keypad_local);
    add(cursor_normal);
    if (exit_ca_mode != NULL) {
        add(exit_ca_mode);
    } else {
        add(tiparm(cursor_address, LINES - 1, 0));
        add("\r\n");
    }
}

// The last 64 KiB of what was written to standard error, then an empty file again.
static void replay_stderr(void) {
    if (memory < 0) return;
    dup2(real_stderr, STDERR_FILENO);
    off_t size = lseek(memory, 0, SEEK_END);
    off_t at = size > 65536 ? size - 65536 : 0;
    char part[1024];
    for (ssize_t count; (count = pread(memory, part, sizeof part, at)) > 0; at += count)
        write_all(STDERR_FILENO, part, (size_t)count);
    if (ftruncate(memory, 0) == 0) lseek(memory, 0, SEEK_SET);
}

void ct_restore(void) {
    if (!atomic_exchange(&screen_is_up, 0)) return;
    int error = errno;
    dup2(nowhere, screen);  // another thread may be painting: its bytes go nowhere
    write_all(terminal, leave, leave_length);
    tcsetattr(terminal, TCSANOW, &shell_modes);
    replay_stderr();
    errno = error;
}

// Restores the terminal and hands the signal to whoever had it before us. A fault is repeated by
// returning to the instruction, so that a backtracer sees the place; anything that was sent is sent
// again and arrives when this handler ends.
static void on_fatal(int signal, siginfo_t *info, void *context) {
    (void)context;
    ct_restore();
    for (int index = 0; index < FATAL_COUNT; index++)
        if (fatal[index] == signal) sigaction(signal, &previous[index], NULL);
    int is_fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
    if (!is_fault || info->si_code <= 0) raise(signal);
}

// A stack that ran over leaves no room for a handler, so it gets its own stack.
static void give_handler_a_stack(void) {
    static char stack[64 * 1024];
    stack_t now;
    if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
    stack_t ours = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&ours, NULL);
}

static void catch_fatal_signals(void) {
    give_handler_a_stack();
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGTTOU);  // tcsetattr must not stop us if we lost the foreground
    for (int index = 0; index < FATAL_COUNT; index++) {
        sigaction(fatal[index], NULL, &previous[index]);
        if (previous[index].sa_handler != SIG_IGN) sigaction(fatal[index], &action, NULL);
    }
}

void ct_restore_arm(int screen_descriptor) {
    static int is_registered;
    screen = screen_descriptor;
    terminal = fcntl(screen, F_DUPFD_CLOEXEC, 3);
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    tcgetattr(terminal, &shell_modes);
    if (isatty(STDERR_FILENO)) {
        real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        memory = memfd_create("stderr", MFD_CLOEXEC);
    }
    catch_fatal_signals();
    if (!is_registered) is_registered = atexit(ct_restore) == 0;
}

void ct_restore_up(void) {
    prepare_leave();
    if (memory >= 0) dup2(memory, STDERR_FILENO);
    atomic_store(&screen_is_up, 1);
}

void ct_restore_down(void) {
    if (!atomic_exchange(&screen_is_up, 0)) return;
    // A terminal without a second screen stands in its last line: the shell needs a new one.
    if (exit_ca_mode == NULL) write_all(terminal, "\r\n", 2);
    replay_stderr();
}

void ct_restore_disarm(void) {
    for (int index = 0; index < FATAL_COUNT; index++)
        if (previous[index].sa_handler != SIG_IGN) sigaction(fatal[index], &previous[index], NULL);
    int *owned[] = {&terminal, &nowhere, &real_stderr, &memory};
    for (int index = 0; index < 4; index++) {
        if (*owned[index] >= 0) close(*owned[index]);
        *owned[index] = -1;
    }
}
