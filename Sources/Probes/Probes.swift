/// Probe files (probes/*.toml) become perf events on a VM's threads, and their counts columns,
/// locks and event counts of a `Snapshot`.
