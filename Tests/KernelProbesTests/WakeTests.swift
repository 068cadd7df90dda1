import Kernel
import KernelProbes
import Telemetry
import Testing

/// A thread that sleeps until it is signalled, and answers.
private final class Sleeper: Sendable {
    let tid: Int
    private let there: EventDescriptor
    private let back: EventDescriptor
    private let thread: PThread
    private let words: SharedWords

    init() throws {
        let (there, back) = (try EventDescriptor(), try EventDescriptor())
        let words = try SharedWords(count: 2)
        thread = try PThread(name: "sleeper") {
            words[1] = UInt64(PThread.currentID)
            back.signal()
            while words[0] == 0 {
                there.wait()
                back.signal()
            }
        }
        back.wait()
        (self.there, self.back, self.words) = (there, back, words)
        tid = Int(words[1])
    }

    /// Wakes it once it certainly sleeps.
    func wakeAsleep(_ count: Int) {
        let path = "/proc/self/task/\(tid)/stat"
        for _ in 0..<count {
            while let text = try? readWholeFile(path, limit: 256),
                !String(decoding: text, as: UTF8.self).contains(") S ")
            {
                yieldProcessor()
            }
            there.signal()
            back.wait()
        }
    }

    /// How often it gave its CPU away to wait.
    func sleeps() -> UInt64 {
        let text = (try? readWholeFile("/proc/self/task/\(tid)/status", limit: 8192)) ?? []
        let line = String(decoding: text, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("voluntary_ctxt_switches:") }
        return line?.split(separator: "\t").last.flatMap { UInt64($0) } ?? 0
    }

    func end() {
        words[0] = 1
        there.signal()
        thread.join()
    }
}

@Suite(.serialized, .enabled(if: Permission.isGranted, "BPF is refused"))
struct WakeTests {
    /// Every wake-up by another thread is seen, and takes less than the signal and the answer.
    @Test func everyWakeUpIsTimed() throws {
        let (sleeper, other) = (try Sleeper(), try Sleeper())
        defer {
            sleeper.end()
            other.end()
        }
        var wakes = try WakeLatencies(threads: [sleeper.tid])
        let (begin, before) = (Clock.monotonic(), sleeper.sleeps())
        sleeper.wakeAsleep(500)
        let time = Clock.monotonic() - begin
        let slept = sleeper.sleeps() - before
        other.wakeAsleep(50)
        let seen = wakes.sample()
        #expect(Array(seen.keys) == [sleeper.tid])
        let latencies = try #require(seen[sleeper.tid])
        // Who is signalled to before it left its CPU does not sleep: each sleep has a wake-up.
        #expect(slept > 50)
        #expect(latencies.count <= slept + 1 && latencies.count + 1 >= slept)
        #expect(latencies.sum > slept * 100 && latencies.sum < time)
        #expect(wakes.sample()[sleeper.tid]?.count == 0)
    }

    @Test func theFilterHasABitForEveryThread() {
        let words = WakeLatencies.filter(of: [0, 63, 64, 65_535, 65_536 + 7])
        #expect(words.count == 1024)
        #expect(words[0] == 0x8000_0000_0000_0081)
        #expect(words[1] == 1)
        #expect(words[1023] == 0x8000_0000_0000_0000)
    }
}
