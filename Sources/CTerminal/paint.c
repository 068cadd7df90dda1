// Painting: colours, runs of cells, the cursor. The wide functions are what this is for.
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <wchar.h>

#include "cterminal.h"
#include "parts.h"

static int colors_started, default_colors;

void ct_pairs_forget(void) { colors_started = 0; }

// Colours start with the first pair that needs them: a screen without colour sends no colour at
// all.
int ct_pair(int foreground, int background) {
    if (foreground < 0 && background < 0) return 0;
    if (ct_colors() == 0) return 0;
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

void ct_copy(const char *base64) {
    // Past curses, which knows no such thing, but in order with what it has sent.
    fputs("\033]52;c;", stdout);
    fputs(base64, stdout);
    fputs("\a", stdout);
    fflush(stdout);
}
