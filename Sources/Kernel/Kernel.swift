// The only Swift room that makes system calls (the terminal apart): owned descriptors, mappings,
// eventfd, poll, threads, locks, clocks, AIO, io_uring, perf events.
