#pragma once
// What the session tells the keyboard and the painter when it starts and stops.
void ct_keys_open(void);
void ct_keys_close(void);
void ct_pairs_forget(void);
