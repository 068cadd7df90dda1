// The views: `(Snapshot, view state, size) → Grid` and `(view state, key) → view state`; key map;
// themes. A pure room: no clock, no terminal.
