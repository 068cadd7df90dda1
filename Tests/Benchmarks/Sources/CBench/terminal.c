#define _GNU_SOURCE
#include "cbench.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENT_LIMIT = 32 };

uint64_t cb_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cb_thread_cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int cb_start_on_terminal(const char *arguments, int rows, int columns, pid_t *pid) {
    // All is made ready before the fork: the child of a program with threads may only exec.
    char *copy = strdup(arguments);
    if (!copy) return -1;
    char *argv[ARGUMENT_LIMIT + 1] = {0};
    char *rest = copy;
    for (int i = 0; i < ARGUMENT_LIMIT && rest; i++) argv[i] = strsep(&rest, "\n");
    setenv("TERM", "xterm-256color", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("COLUMNS");
    unsetenv("LINES");
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int terminal = -1;
    *pid = forkpty(&terminal, NULL, NULL, &size);
    if (*pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    free(copy);
    if (*pid > 0) fcntl(terminal, F_SETFL, O_NONBLOCK);
    return *pid < 0 ? -1 : terminal;
}

int cb_end(pid_t pid, int terminal, int patience_ms) {
    int status = 0;
    kill(pid, SIGTERM);
    for (int waited = 0; waited < patience_ms; waited += 10) {
        // A program that writes its farewell needs a reader.
        char buffer[4096];
        struct timespec moment = {0, 10000000};
        nanosleep(&moment, NULL);
        if (waitpid(pid, &status, WNOHANG) == pid) {
            close(terminal);
            return status;
        }
        (void)!read(terminal, buffer, sizeof buffer);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(terminal);
    return status;
}

int cb_device_below(const char *path, unsigned *major_number, unsigned *minor_number) {
    struct stat status;
    if (stat(path, &status) != 0) return -1;
    *major_number = major(status.st_dev);
    *minor_number = minor(status.st_dev);
    return 0;
}
