import Kernel
import Synchronization
import Telemetry
import Testing

@testable import Probes

/// The probes that come with the program, by name.
private func builtIn(_ name: String) throws -> ProbeDefinition {
    let here = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "\(here)/probes/\(name).toml"
    let text = try readWholeFile(path, limit: 1 << 16)
    return try ProbeDefinition(toml: String(decoding: text, as: UTF8.self), file: path)
}

/// Whether tracepoints can be opened here.
private let isPermitted: Bool = {
    guard let probe = try? builtIn("futex-waits") else { return false }
    var session = ProbeSession(definitions: [probe])
    session.watch(
        [.init(tid: PThread.currentID, role: .main, name: "t")], pid: Process.id, vm: nil)
    session.enableTracepoints(true)
    return session.sample(clock: Clock.monotonic).unavailable.isEmpty
}()

/// A thread that takes a lock whenever told to.
private final class Waiter: Sendable {
    let tid = Atomic<Int>(0)
    let start: EventDescriptor
    let done: EventDescriptor
    let isOver = Atomic<Bool>(false)
    let lock = Lock(0)

    init() throws { (start, done) = (try EventDescriptor(), try EventDescriptor()) }

    func run() {
        tid.store(PThread.currentID, ordering: .relaxed)
        done.signal()
        while true {
            start.wait()
            if isOver.load(ordering: .relaxed) { return }
            lock.withLock { $0 += 1 }
            done.signal()
        }
    }

    /// Has it wait for the lock, certainly, and lets it in.
    func waitOnce() {
        let path = "/proc/self/task/\(tid.load(ordering: .relaxed))/syscall"
        lock.withLock { _ in
            start.signal()
            // 202 is futex on x86-64, where the thread sleeps now.
            while let text = try? readWholeFile(path, limit: 16), !text.starts(with: "202 ".utf8) {
                yieldProcessor()
            }
        }
        done.wait()
    }
}

@Suite struct LiveProbeTests {
    /// Two threads, one mutex: every wait is counted, timed and given to its lock.
    @Test(.enabled(if: isPermitted, "tracepoints are not permitted, or tracefs is not mounted"))
    func aContendedMutexIsSeen() throws {
        let waiter = try Waiter()
        let thread = try PThread(name: "waiter") { waiter.run() }
        waiter.done.wait()
        let tid = waiter.tid.load(ordering: .relaxed)
        var session = ProbeSession(
            definitions: [try builtIn("futex-waits"), try builtIn("context-switches")])
        session.watch(
            [
                .init(tid: PThread.currentID, role: .main, name: "holder"),
                .init(tid: tid, role: .vcpu, name: "waiter"),
            ], pid: Process.id, vm: nil)
        session.enableTracepoints(true)
        waiter.waitOnce()
        // Asked before all, before each thread, and after all.
        var times: [Nanoseconds] = []
        func clock() -> Nanoseconds {
            times.append(Clock.monotonic())
            return times[times.count - 1]
        }
        let first = session.sample(clock: clock)
        #expect(first.values[tid]?.allSatisfy { $0.value == nil } == true && first.locks.isEmpty)
        for round in 0..<300 {
            waiter.waitOnce()
            if round % 100 == 99 { session.drain() }
        }
        let reading = session.sample(clock: clock)
        try #require(times.count == 8)
        let seconds = Double(times[6] - times[2]) / 1e9
        waiter.isOver.store(true, ordering: .relaxed)
        waiter.start.signal()
        thread.join()

        // A sleep may end for nothing, and begin anew.
        let waits = try #require(reading.lockWaits[tid])
        let count = waits.waitsPerSecond * seconds
        #expect(count > 299.5 && count < 305)
        #expect(waits.percent > 0 && waits.percent <= 100)
        #expect(reading.lost == 0 && reading.hidden == 0)
        let lock = try #require(reading.locks.first)
        #expect(reading.locks.count == 1 && lock.waiters == ["waiter"])
        #expect(lock.name.hasPrefix("heap futex 0x"))
        let (longest, p99) = (try #require(lock.longest), try #require(lock.p99))
        #expect(p99 > 0 && p99 <= longest)
        let values = Dictionary(
            (reading.values[tid] ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        #expect(values["futex_wait_longest_us"] == longest)
        // It sleeps for the lock and for the word to begin: two switches a round, at least.
        let switches = try #require(values["context_switches_per_s"] ?? nil)
        #expect(switches * seconds > 500)
    }
}
