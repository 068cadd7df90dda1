#pragma once
// How the terminal gets back to its owner's hands, whatever ends the process.

// Saves the terminal's modes and the strings that leave the screen, sends standard error to memory
// if it is a terminal, and catches fatal signals. `screen` is the descriptor that ncurses writes
// to.
void ct_restore_arm(int screen);
// The screen goes up, or down in an orderly way.
void ct_restore_up(void);
void ct_restore_down(void);
// Undoes ct_restore_arm.
void ct_restore_disarm(void);
