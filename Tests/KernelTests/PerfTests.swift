import Kernel
import SystemPackage
import Telemetry
import Testing

/// What this machine lets us do.
enum Perf {
    static let counts = (try? PerfCounters([.init(.software(.contextSwitches))], on: own)) != nil
    static let traces =
        (try? PerfRecorder(
            [.init(tracepoint("syscalls", "sys_enter_write"))], on: own, ringByteCount: 4096))
        != nil
    static var own: PerfTarget { .thread(PThread.currentID) }

    /// The tracepoint by name; one that no kernel has where tracefs cannot be read.
    static func tracepoint(_ system: String, _ name: String) -> PerfEventKind {
        let path = "/sys/kernel/tracing/events/\(system)/\(name)/id"
        let text = (try? readWholeFile(path, limit: 64)) ?? []
        let id = UInt64(String(decoding: text.prefix { $0 > 32 }, as: UTF8.self))
        return .tracepoint(id: id ?? .max, name: "tracepoint:\(system):\(name)")
    }
}

/// A thread that answers every signal, so that its switches and system calls are known.
private final class Echo: Sendable {
    let tid: Int
    private let there: EventDescriptor
    private let back: EventDescriptor
    private let thread: PThread
    private let isOver: SharedWords

    init() throws {
        let (there, back) = (try EventDescriptor(), try EventDescriptor())
        let words = try SharedWords(count: 2)
        thread = try PThread(name: "echo") {
            words[1] = UInt64(PThread.currentID)
            back.signal()
            while words[0] == 0 {
                there.wait()
                back.signal()
            }
        }
        back.wait()
        (self.there, self.back, isOver) = (there, back, words)
        tid = Int(words[1])
    }

    /// `count` signals there and back; the echo writes eight bytes for each.
    func answer(_ count: Int) {
        for _ in 0..<count {
            there.signal()
            back.wait()
        }
    }

    func end() {
        isOver[0] = 1
        there.signal()
        thread.join()
    }

    /// Its context switches as /proc counts them.
    func switches() throws -> UInt64 {
        let path = "/proc/self/task/\(tid)/status"
        let text = String(decoding: try readWholeFile(path, limit: 1 << 16), as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.contains("ctxt_switches") }
        return lines.compactMap { UInt64($0.split(separator: "\t").last ?? "") }.reduce(0, +)
    }
}

@Suite(.serialized) struct PerfCountersTests {
    @Test(.enabled(if: Perf.counts, "perf events are not permitted here"))
    func contextSwitchesAreThoseOfProc() throws {
        let echo = try Echo()
        let counters = try PerfCounters(
            [.init(.software(.contextSwitches)), .init(.software(.cpuMigrations))],
            on: .thread(echo.tid))
        var words: [UInt64] = []
        let before = try #require(try counters.read(scratch: &words))
        let first = try echo.switches()
        echo.answer(2000)
        let after = try #require(try counters.read(scratch: &words))
        let last = try echo.switches()
        echo.end()
        let (counted, told) = (after.values[0] - before.values[0], last - first)
        // The echo may go to sleep between the two readings.
        #expect(counted > 500 && counted <= told + 2 && told <= counted + 2)
        #expect(after.values.count == 2 && after.running == after.enabled)
    }

    @Test(.enabled(if: Perf.traces, "tracepoints are not permitted, or tracefs is not mounted"))
    func aFilterChoosesTheSystemCalls() throws {
        let echo = try Echo()
        let kind = Perf.tracepoint("syscalls", "sys_enter_write")
        let counters = try PerfCounters(
            [.init(kind, filter: "count == 8"), .init(kind, filter: "count == 9")],
            on: .thread(echo.tid))
        echo.answer(700)
        var words: [UInt64] = []
        let reading = try counters.read(scratch: &words)
        echo.end()
        #expect(reading?.values == [700, 0])
    }

    @Test(.enabled(if: Perf.traces, "tracepoints are not permitted, or tracefs is not mounted"))
    func everyRecordIsReadOrCountedAsLost() throws {
        let echo = try Echo()
        let requests = [
            PerfRequest(Perf.tracepoint("syscalls", "sys_enter_write"), filter: "count == 8"),
            PerfRequest(Perf.tracepoint("syscalls", "sys_exit_write"), filter: "ret == 8"),
        ]
        let recorder = try PerfRecorder(requests, on: .thread(echo.tid), ringByteCount: 4096)
        let start = Clock.monotonic()
        var scratch: [UInt8] = []
        var seen: [UInt64] = [0, 0]
        var times: [Nanoseconds] = []
        func drain() -> PerfDrain {
            recorder.drain(scratch: &scratch) { index, sample, fields in
                seen[index] += 1
                times.append(sample.time)
                #expect(sample.tid == echo.tid)
                // `count` of the entry and `ret` of the exit stand at known places on x86-64.
                #expect(fields.littleEndian(at: index == 0 ? 32 : 16, byteCount: 8) == 8)
            }
        }
        echo.answer(10)
        var summary = drain()
        #expect(seen[0] == 10 && summary.lost == 0)
        echo.answer(3000)
        summary = drain()
        var words: [UInt64] = []
        echo.end()
        let counts = try recorder.read(scratch: &words)
        for (index, count) in counts.enumerated() {
            let count = try #require(count)
            // The end of the echo is one write more than was drained.
            #expect(count.events >= 3010 && count.events <= 3011)
            let lost = try #require(count.lost)
            #expect(lost > 2000 && seen[index] + lost >= 3010)
            #expect(seen[index] + lost <= count.events)
        }
        #expect(times == times.sorted())
        #expect(times.allSatisfy { $0 > start && $0 < Clock.monotonic() })
        #expect(summary.garbage == 0)
    }

    @Test(.enabled(if: Perf.counts, "perf events are not permitted here"))
    func anErrorSaysWhatToDo() throws {
        let request = PerfRequest(.software(.taskClock))
        let gone = #expect(throws: PerfError.self) {
            _ = try PerfCounters([request], on: .thread(0x7FFF_FFFF))
        }
        #expect(gone?.cause.errno == .noSuchProcess)
        let event = PerfRequest(.tracepoint(id: 0xFFFF_FFFF, name: "tracepoint:a:b"))
        let error = #expect(throws: PerfError.self) {
            _ = try PerfCounters([request, event], on: Perf.own)
        }
        #expect(error?.index == 1)
        #expect(error?.description.contains("tracepoint:a:b of thread") == true)
        #expect(error?.cause.remedy != nil)
    }

    @Test(.enabled(if: Perf.traces, "tracepoints are not permitted, or tracefs is not mounted"))
    func aWrongFilterIsNamed() throws {
        let kind = Perf.tracepoint("syscalls", "sys_enter_write")
        let error = #expect(throws: PerfError.self) {
            _ = try PerfCounters([.init(kind, filter: "no_field == 1")], on: Perf.own)
        }
        let text = error?.description ?? ""
        #expect(text.contains("no_field == 1"))
        #expect(text.contains("events/syscalls/sys_enter_write/format"))
    }
}
