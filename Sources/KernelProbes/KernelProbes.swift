/// BPF programs as a source: what requests to the host's disks, wake-ups of threads and interrupts
/// for guests do, of which perf records only a part, because they happen in interrupts or in other
/// threads.
///
/// The programs are `probes/*.bpf.c`; they count in the kernel, so that an event costs a fraction
/// of a microsecond and nobody has to be quick to fetch it. Each set is loaded by itself: one that
/// a kernel refuses takes nothing from the others.
