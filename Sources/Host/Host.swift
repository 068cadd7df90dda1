// The host under a process as a source: its threads, its CPUs, its memory, its disks and
// interrupts, and the files a process has open, read from /proc and /sys.
//
// Everything here is sampled on one thread, once a tick, with the descriptors kept open. The clock
// is handed in, and so is the way to open a file: tests hand in texts of their own.
