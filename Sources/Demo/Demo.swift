// The embedded engine as a source of `Snapshot`s: scenarios, set-up, and one sample per tick.
