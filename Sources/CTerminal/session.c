// The session: taking the terminal, giving it back, its size and what it can do.
#define _GNU_SOURCE
#include "cterminal.h"

#include <curses.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "parts.h"
#include "restore.h"

// Larger screens stay blank beyond this: a broken pty may claim 65535 x 65535.
enum { MAX_ROWS = 512, MAX_COLUMNS = 1024 };

static SCREEN *session;
static FILE *output, *input;

// A locale that is not installed (often so over ssh) still tells what the terminal understands.
static void choose_locale(void) {
    if (setlocale(LC_CTYPE, "") != NULL) return;
    const char *name = getenv("LC_ALL");
    if (name == NULL || *name == 0) name = getenv("LC_CTYPE");
    if (name == NULL || *name == 0) name = getenv("LANG");
    if (name != NULL && (strcasestr(name, "utf-8") || strcasestr(name, "utf8")))
        setlocale(LC_CTYPE, "C.UTF-8");
}

static FILE *duplicate(int descriptor, const char *mode) {
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    FILE *file = copy < 0 ? NULL : fdopen(copy, mode);
    if (file == NULL && copy >= 0) close(copy);
    return file;
}

static void close_files(void) {
    if (output != NULL) fclose(output);
    if (input != NULL) fclose(input);
    output = input = NULL;
}

// Standard input may be a pipe with data; keys then come from the controlling terminal.
static int open_files(void) {
    if (!isatty(STDOUT_FILENO)) return 0;
    output = duplicate(STDOUT_FILENO, "w");
    input = isatty(STDIN_FILENO) ? duplicate(STDIN_FILENO, "r") : fopen("/dev/tty", "re");
    if (output != NULL && input != NULL) return 1;
    close_files();
    return 0;
}

// What the database says about `type`, asked before newterm because that does not tell why it
// fails.
static int check_type(const char *type) {
    int error = 0;
    if (setupterm((char *)type, fileno(output), &error) != OK)
        return error == 1 ? CT_NO_ADDRESSING : CT_UNKNOWN_TYPE;
    int has_addressing = cursor_address != NULL && clear_screen != NULL;
    del_curterm(cur_term);
    return has_addressing ? CT_OK : CT_NO_ADDRESSING;
}

// `xterm-256color` has the relative `xterm-direct`; `type` itself where the database lacks it.
static const char *direct_relative(const char *type, char *name, size_t size) {
    const char *suffix = strstr(type, "-256color");
    size_t length = suffix != NULL ? (size_t)(suffix - type) : strlen(type);
    if (strstr(type, "-direct") != NULL || length + sizeof "-direct" > size) return type;
    memcpy(name, type, length);
    strcpy(name + length, "-direct");
    return check_type(name) == CT_OK ? name : type;
}

// Keys come one by one without echo; Ctrl-S and Ctrl-V are keys too. Ctrl-C and Ctrl-Z stay
// signals, so that the rest of the job (make, sudo) gets them as well.
static void set_modes(void) {
    cbreak();
    noecho();
    nonl();
    struct termios modes;
    if (tcgetattr(fileno(input), &modes) == 0) {
        modes.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
        modes.c_lflag &= ~(tcflag_t)IEXTEN;
        tcsetattr(fileno(input), TCSADRAIN, &modes);
    }
    def_prog_mode();
    if (getenv("ESCDELAY") == NULL) set_escdelay(50);
    ct_keys_open();
    leaveok(stdscr, TRUE);
    curs_set(0);
}

int ct_start(int direct) {
    choose_locale();
    const char *type = getenv("TERM");
    if (type == NULL || *type == 0) return CT_NO_TYPE;
    if (!open_files()) return CT_NOT_A_TERMINAL;
    int answer = check_type(type);
    char relative[128];
    if (answer == CT_OK) {
        if (direct) type = direct_relative(type, relative, sizeof relative);
        ct_restore_arm(fileno(output));
        session = newterm((char *)type, output, input);
        if (session == NULL) {
            ct_restore_disarm();
            answer = CT_FAILED;
        }
    }
    if (answer != CT_OK) {
        close_files();
        return answer;
    }
    ct_restore_up();
    set_modes();
    ct_fit();
    // Until the first endwin, ncurses 6.4 writes after every cursor movement instead of once a
    // frame.
    endwin();
    refresh();
    return CT_OK;
}

void ct_stop(void) {
    if (session == NULL) return;
    ct_leave();
    ct_restore_disarm();
    ct_keys_close();
    delscreen(session);
    session = NULL;
    ct_pairs_forget();
    close_files();
}

void ct_leave(void) {
    if (session == NULL || isendwin()) return;
    endwin();
    ct_restore_down();
}

void ct_enter(void) {
    if (session == NULL) return;
    ct_restore_up();
    ct_fit();
    clearok(curscr, TRUE);
    refresh();
}

int ct_is_utf8(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }
int ct_colors(void) { return session != NULL && tigetnum("colors") > 0 ? tigetnum("colors") : 0; }
int ct_is_direct(void) { return session != NULL && tigetflag("RGB") > 0; }
int ct_input_descriptor(void) { return input != NULL ? fileno(input) : -1; }

int ct_environment_forbids_color(void) {
    const char *value = getenv("NO_COLOR");
    return value != NULL && *value != 0;
}

void ct_fit(void) {
    struct winsize size;
    if (session == NULL || ioctl(fileno(output), TIOCGWINSZ, &size) != 0) return;
    if (size.ws_row == 0 || size.ws_col == 0) return;  // a pty nobody gave a size: terminfo's
    int height = size.ws_row < MAX_ROWS ? size.ws_row : MAX_ROWS;
    int width = size.ws_col < MAX_COLUMNS ? size.ws_col : MAX_COLUMNS;
    if (height != LINES || width != COLS) resize_term(height, width);
}

int ct_rows(void) { return LINES; }
int ct_columns(void) { return COLS; }
