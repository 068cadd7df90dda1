import Kernel
import Synchronization
import SystemPackage

@testable import Probes

/// A kernel of the test's own making: texts by path, counters and records by thread and event.
final class FakeKernel: ProbeSystem {
    struct Record {
        var event: String
        var time: UInt64
        var fields: [UInt8]
    }
    struct State {
        var texts: [String: String] = [:]
        var refused: [String: Errno] = [:]
        var counts: [PerfTarget: [String: UInt64]] = [:]
        var lost: [PerfTarget: [String: UInt64]] = [:]
        var records: [PerfTarget: [Record]] = [:]
        var periods: [String: UInt64] = [:]
        var filters: [String: String] = [:]
        /// Events that occur just before they are stopped, and when.
        var atEnd: [String: UInt64] = [:]
        var open = 0
        var opened = 0
        var ringByteCounts: Set<Int> = []
    }
    let state = Mutex(State())

    /// With tracefs mounted, and the tracepoints of `Formats`.
    init() {
        let events = "/sys/kernel/tracing/events/"
        state.withLock {
            $0.texts[events + "header_page"] = "x"
            $0.texts[events + "syscalls/sys_enter_futex/format"] = Formats.futex
            $0.texts[events + "syscalls/sys_exit_futex/format"] = Formats.exitFutex
            $0.texts[events + "syscalls/sys_enter_write/format"] = Formats.write
            $0.texts[events + "kvm/kvm_exit/format"] = Formats.kvmExit
            $0.texts["/sys/devices/system/cpu/online"] = "0-1\n"
        }
    }

    /// The event occurred on thread `tid`, `count` times, and left `records`.
    func happen(
        _ event: String, _ count: UInt64 = 1, on tid: Int, lost: UInt64 = 0,
        at times: [UInt64] = [], fields: [UInt8] = []
    ) {
        happen(event, count, on: .thread(tid), lost: lost, at: times, fields: fields)
    }

    func happen(
        _ event: String, _ count: UInt64, on target: PerfTarget, lost: UInt64 = 0,
        at times: [UInt64] = [], fields: [UInt8] = []
    ) {
        state.withLock { state in
            state.counts[target, default: [:]][event, default: 0] += count
            state.lost[target, default: [:]][event, default: 0] += lost
            for time in times {
                state.records[target, default: []].append(
                    Record(event: event, time: time, fields: fields))
            }
        }
    }

    func read(_ path: String) throws(KernelError) -> [UInt8] {
        let (text, errno) = state.withLock { ($0.texts[path], $0.refused[path]) }
        if let errno { throw KernelError("read", path, errno) }
        guard let text else { throw KernelError("read", path, .noSuchFileOrDirectory) }
        return Array(text.utf8)
    }

    func counters(
        _ requests: [PerfRequest], on target: PerfTarget
    ) throws(PerfError) -> any ProbeCounters {
        try check(requests, target)
        return Counters(kernel: self, target: target, requests: requests)
    }

    func recorder(
        _ requests: [PerfRequest], on target: PerfTarget, ringByteCount: Int
    ) throws(PerfError) -> any ProbeRecorder {
        try check(requests, target)
        state.withLock { _ = $0.ringByteCounts.insert(ringByteCount) }
        return Recorder(kernel: self, target: target, requests: requests)
    }

    private func check(_ requests: [PerfRequest], _ target: PerfTarget) throws(PerfError) {
        for (index, request) in requests.enumerated() {
            let name = request.kind.name
            let errno = state.withLock { state in
                state.refused[name] ?? state.refused["\(target)"]
            }
            guard let errno else { continue }
            throw PerfError(
                index: index,
                cause: KernelError("open the event", name, errno, remedy: "as told"))
        }
        state.withLock {
            for request in requests { $0.filters[request.kind.name] = request.filter ?? "" }
            $0.open += requests.count
            $0.opened += requests.count
        }
    }

    private class Events: @unchecked Sendable {
        let kernel: FakeKernel
        let target: PerfTarget
        let events: [String]
        /// Counters start at 0 when they are opened.
        let start: [UInt64]

        init(kernel: FakeKernel, target: PerfTarget, requests: [PerfRequest]) {
            self.kernel = kernel
            self.target = target
            let events = requests.map(\.kind.name)
            self.events = events
            start = kernel.state.withLock { state in
                events.map { state.counts[target]?[$0] ?? 0 }
            }
        }

        deinit {
            let count = events.count
            kernel.state.withLock { $0.open -= count }
        }

        var counts: [UInt64] {
            kernel.state.withLock { state in
                zip(events, start).map { (state.counts[target]?[$0] ?? 0) - $1 }
            }
        }
    }

    private final class Counters: Events, ProbeCounters, @unchecked Sendable {
        func read(
            scratch words: inout [UInt64]
        ) throws(KernelError) -> PerfCounters.Reading? {
            PerfCounters.Reading(enabled: 1, running: 1, values: counts)
        }
    }

    private final class Recorder: Events, ProbeRecorder, @unchecked Sendable {
        func read(scratch words: inout [UInt64]) throws(KernelError) -> [PerfRecorder.Count?] {
            let lost = kernel.state.withLock { state in
                events.map { state.lost[target]?[$0] ?? 0 }
            }
            return zip(counts, lost).map { PerfRecorder.Count(events: $0, lost: $1) }
        }

        func drain(
            scratch: inout [UInt8], _ body: (Int, PerfSample, Span<UInt8>) -> Void
        ) -> PerfDrain {
            let records = kernel.state.withLock { state in
                state.records.removeValue(forKey: target) ?? []
            }
            var drain = PerfDrain()
            for record in records {
                guard let index = events.firstIndex(of: record.event) else { continue }
                drain.samples += 1
                let sample = PerfSample(id: 0, tid: 0, time: record.time, cpu: 0)
                body(index, sample, record.fields.span)
            }
            return drain
        }

        func stop() {
            let atEnd = kernel.state.withLock { state in
                events.map { ($0, state.atEnd.removeValue(forKey: $0) ?? 0) }
            }
            for (event, time) in atEnd where time > 0 {
                kernel.happen(event, 1, on: target, at: [time])
            }
        }

        func setPeriod(_ period: UInt64, of index: Int) {
            kernel.state.withLock { $0.periods[events[index]] = period }
        }
    }
}
