// The host under a process as a source: its threads, its CPUs and memory, read from /proc.
