// Keys and mouse reports.
#include <curses.h>

#include "cterminal.h"
#include "parts.h"

static WINDOW *keys;  // a pad: reading from it never refreshes the screen

void ct_keys_open(void) {
    keys = newpad(1, 1);
    keypad(keys, TRUE);
    nodelay(keys, TRUE);
}

void ct_keys_close(void) {
    delwin(keys);
    keys = NULL;
}

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
    if (keys == NULL) return;
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
