// The wide functions and the extended pairs are what this room is for.
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
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
#include <wchar.h>

#include "restore.h"

// Larger screens stay blank beyond this: a broken pty may claim 65535 x 65535.
enum { MAX_ROWS = 512, MAX_COLUMNS = 1024 };

static SCREEN *session;
static FILE *output, *input;
static WINDOW *keys;  // a pad: reading from it never refreshes the screen
static int colors_started, default_colors;

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

// What the database says about `type`, asked before newterm because that does not tell why it fails.
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

// Keys come one by one without echo; Ctrl-S and Ctrl-V are keys too. Ctrl-C and Ctrl-Z stay signals,
// so that the rest of the job (make, sudo) gets them as well.
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
    keys = newpad(1, 1);
    keypad(keys, TRUE);
    nodelay(keys, TRUE);
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
    // Until the first endwin, ncurses 6.4 writes after every cursor movement instead of once a frame.
    endwin();
    refresh();
    return CT_OK;
}

void ct_stop(void) {
    if (session == NULL) return;
    ct_leave();
    ct_restore_disarm();
    delwin(keys);
    delscreen(session);
    session = NULL;
    keys = NULL;
    colors_started = 0;
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

// Colours start with the first pair that needs them: a screen without colour sends no colour at all.
int ct_pair(int foreground, int background) {
    if (foreground < 0 && background < 0) return 0;
    if (session == NULL || ct_colors() == 0) return 0;
    if (!colors_started) {
        if (start_color() != OK) return 0;
        default_colors = use_default_colors() == OK;
        colors_started = 1;
    }
    if (!default_colors && foreground < 0) foreground = COLOR_WHITE;
    if (!default_colors && background < 0) background = COLOR_BLACK;
    int pair = alloc_pair(foreground, background);
    return pair > 0 ? pair : 0;
}

// The run being built; ncurses takes a string of cells much faster than single ones, and does not
// wrap, scroll or complain about the last cell of the screen then.
static cchar_t run[256];
static int run_count, run_cells, run_row, run_column;

static attr_t look(uint32_t attributes) {
    return (attributes & CT_BOLD ? A_BOLD : 0) | (attributes & CT_DIM ? A_DIM : 0)
        | (attributes & CT_UNDERLINE ? A_UNDERLINE : 0) | (attributes & CT_REVERSE ? A_REVERSE : 0);
}

void ct_move(int row, int column) {
    run_row = row;
    run_column = column;
    run_count = run_cells = 0;
}

void ct_end_run(void) {
    if (run_count > 0) mvadd_wchnstr(run_row, run_column, run, run_count);
    run_column += run_cells;
    run_count = run_cells = 0;
}

void ct_put(uint32_t scalar, int width, uint32_t attributes, int pair) {
    if (run_count == sizeof run / sizeof *run) ct_end_run();
    // Where this C library and the grid disagree about a width, the row would shift.
    int is_safe = scalar >= 0x20 && (scalar < 0x7F || wcwidth((wchar_t)scalar) == width);
    wchar_t text[2] = {is_safe ? (wchar_t)scalar : L'?', 0};
    setcchar(&run[run_count++], text, look(attributes), 0, &pair);
    run_cells += width;
    if (is_safe || width < 2) return;
    if (run_count == sizeof run / sizeof *run) {
        run_cells -= 1;
        ct_end_run();
        run_cells = 1;
    }
    text[0] = L' ';
    setcchar(&run[run_count++], text, look(attributes), 0, &pair);
}

void ct_erase(uint32_t attributes, int pair) {
    cchar_t blank;
    setcchar(&blank, L" ", look(attributes), 0, &pair);
    bkgrndset(&blank);
    erase();
}

void ct_cursor(int row, int column) {
    int is_shown = row >= 0 && column >= 0;
    leaveok(stdscr, !is_shown);
    curs_set(is_shown);
    if (is_shown) move(row, column);
}

void ct_refresh(void) { refresh(); }
void ct_forget_screen(void) { clearok(curscr, TRUE); }

static int named_key(int code) {
    if (code >= KEY_F(1) && code <= KEY_F(12)) return CT_KEY_FUNCTION + code - KEY_F0;
    switch (code) {
    case KEY_UP: case KEY_SR: return CT_KEY_UP;
    case KEY_DOWN: case KEY_SF: return CT_KEY_DOWN;
    case KEY_LEFT: case KEY_SLEFT: return CT_KEY_LEFT;
    case KEY_RIGHT: case KEY_SRIGHT: return CT_KEY_RIGHT;
    case KEY_HOME: case KEY_A1: case KEY_FIND: case KEY_SHOME: return CT_KEY_HOME;
    case KEY_END: case KEY_C1: case KEY_LL: case KEY_SELECT: case KEY_SEND: return CT_KEY_END;
    case KEY_PPAGE: case KEY_A3: return CT_KEY_PAGE_UP;
    case KEY_NPAGE: case KEY_C3: return CT_KEY_PAGE_DOWN;
    case KEY_IC: return CT_KEY_INSERT;
    case KEY_DC: return CT_KEY_DELETE;
    case KEY_BACKSPACE: return CT_KEY_BACKSPACE;
    case KEY_ENTER: return CT_KEY_ENTER;
    case KEY_BTAB: return CT_KEY_BACK_TAB;
    case KEY_MOUSE: return CT_KEY_MOUSE;
    default: return CT_KEY_UNKNOWN;
    }
}

int ct_read_key(void) {
    if (keys == NULL) return CT_NOTHING;
    int code = wgetch(keys);
    if (code == ERR) return CT_NOTHING;
    return code < 0x100 ? code : named_key(code);
}

void ct_set_mouse(int on) {
    if (session == NULL) return;
    mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0);
}

int64_t ct_mouse_event(void) {
    MEVENT event;
    if (getmouse(&event) != OK || event.x < 0 || event.y < 0) return -1;
    int wheel = event.bstate & BUTTON4_PRESSED ? 1 : event.bstate & BUTTON5_PRESSED ? 2 : 0;
    if (wheel == 0 && !(event.bstate & BUTTON1_PRESSED)) return -1;
    return (int64_t)event.y << 32 | (int64_t)event.x << 16 | wheel;
}
