#pragma once
// ncurses behind plain integers. Swift cannot import curses as it is: its globals are shared
// mutable state and half of its names are macros. Nothing here formats a number, so no locale can
// spoil one.
//
// Only one thread, the one that called ct_start, may use this; ct_restore alone may run anywhere.
#include <stdint.h>

// What ct_start says.
enum {
    CT_OK = 0,
    CT_NOT_A_TERMINAL,  // standard output, or standard input and /dev/tty, are none
    CT_NO_TYPE,         // TERM is unset or empty
    CT_UNKNOWN_TYPE,    // the terminfo database does not know TERM, or there is no database
    CT_NO_ADDRESSING,   // the cursor cannot be placed: TERM=dumb, printing terminals
    CT_FAILED,          // ncurses refused for another reason
};

// Attributes of a cell, a bit set.
enum { CT_BOLD = 1, CT_DIM = 2, CT_UNDERLINE = 4, CT_REVERSE = 8 };

// Keys that are no bytes; bytes are 0…255.
enum {
    CT_NOTHING = -1,
    CT_KEY_UP = 0x100, CT_KEY_DOWN, CT_KEY_LEFT, CT_KEY_RIGHT,
    CT_KEY_HOME, CT_KEY_END, CT_KEY_PAGE_UP, CT_KEY_PAGE_DOWN,
    CT_KEY_INSERT, CT_KEY_DELETE, CT_KEY_BACKSPACE, CT_KEY_ENTER, CT_KEY_BACK_TAB,
    CT_KEY_MOUSE, CT_KEY_UNKNOWN,
    CT_KEY_FUNCTION = 0x200,  // + 1…12
};

// Takes the terminal: sets LC_CTYPE from the environment, saves what ct_restore puts back, enters
// the screen. `direct` asks for the direct-colour relative of TERM, if the database has one.
int ct_start(int direct);
// Gives the terminal back for good.
void ct_stop(void);
// Gives the terminal back for a while (Ctrl-Z), and takes it again; the next refresh repaints all.
void ct_leave(void);
void ct_enter(void);
// Puts the terminal back from any thread and from a signal handler, and replays what was written to
// standard error meanwhile. Does nothing when the screen is not up; nothing appears on it
// afterwards.
void ct_restore(void);

// Whether the locale is UTF-8, and what the terminal can do.
int ct_is_utf8(void);
int ct_colors(void);           // 0: none
int ct_is_direct(void);        // colour numbers are 0xRRGGBB
int ct_environment_forbids_color(void);  // NO_COLOR
int ct_input_descriptor(void);

// Asks the kernel for the terminal's size and fits the screen to it.
void ct_fit(void);
int ct_rows(void);
int ct_columns(void);

// The pair of two colours, -1 for the terminal's own; 0 when there is none left or no colour at
// all.
int ct_pair(int foreground, int background);

// Painting: place a run, add its cells, end it. Nothing is sent before ct_refresh.
void ct_move(int row, int column);
void ct_put(uint32_t scalar, int width, uint32_t attributes, int pair);
void ct_end_run(void);
void ct_erase(uint32_t attributes, int pair);  // with blanks of this look
void ct_cursor(int row, int column);  // negative: hidden
void ct_refresh(void);
// Has the terminal copy what `base64` encodes (OSC 52), between two refreshes.
void ct_copy(const char *base64);
void ct_forget_screen(void);          // the next refresh sends every cell

// The next byte or key, CT_NOTHING at once if there is none.
int ct_read_key(void);
// Mouse reports on or off, and the event after CT_KEY_MOUSE: row << 32 | column << 16 | wheel,
// where wheel is 0 a click, 1 up, 2 down; negative for anything else.
void ct_set_mouse(int on);
int64_t ct_mouse_event(void);
