// The embedded engine: devices with a dedicated thread each, their backends, and the simulated
// guest.
//
//     vCPU thread (driver end)                       device thread (device end)
//     ────────────────────────                       ──────────────────────────
//     reap used, issue requests ── avail ring ──▶    pop all, parse, start
//     publish once ───────────── kick (eventfd) ─▶   one io_submit
//                                                    reap the AIO ring
//     ◀── used ring ──────────────────────────────   publish once
//     ◀── interrupt (eventfd) ────────────────────   notify at most once a turn
//
// One LUN is one device with its own memory, virtqueue and thread. A vCPU drives several LUNs.
// After start the two threads allocate nothing and take no lock; what others want to know of them
// they read from counter blocks (`LUNCounterBlock`) and trace rings (`TraceRing`), and nothing else
// crosses.

/// How a thread waits when it has nothing to do.
public enum WaitMode: String, Sendable, CaseIterable {
    /// Sleep at once; the other side must wake us.
    case block
    /// Look again for a bounded time, giving the CPU away between looks; then sleep.
    case yield
    /// Look again for a bounded time without giving the CPU away; then sleep.
    case pause
    /// Never sleep. For measurements with a CPU for every thread.
    case spin
}
