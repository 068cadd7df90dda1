internal import Kernel
internal import ProcFS
internal import Telemetry

/// The RAM promised to all VMs of the host, and what they have of it.
///
/// Every process's command line has to be looked at, which takes 10 µs each: a round goes some
/// hundred processes a turn.
struct MemoryOfVMs: Sendable {
    /// Processes looked at in one turn.
    static let turn = 256
    private static let host = Subject(.host)

    private let promise: MemoryPromise
    /// Processes that this round has not come to yet, in descending order.
    private var rest: [Int] = []
    private var promised = 0.0
    private var resident = 0.0
    private var vms = 0
    /// The last round's result.
    private(set) var facts: [Fact]

    init(promise: @escaping MemoryPromise) {
        self.promise = promise
        facts = Self.missing("not all processes have been looked at yet")
    }

    /// Begins a new round, unless one is under way.
    mutating func start(_ reader: FactReader) {
        guard rest.isEmpty else { return }
        (promised, resident, vms) = (0, 0, 0)
        do {
            rest = try reader.files.list("/proc").compactMap { Int($0) }.sorted(by: >)
        } catch {
            facts = Self.missing(reader.reason(for: error))
        }
    }

    /// Looks at the next processes; returns whether that was the round's end.
    mutating func go(on reader: inout FactReader) -> Bool {
        guard !rest.isEmpty else { return false }
        for _ in 0..<Self.turn {
            guard let pid = rest.popLast() else { break }
            look(at: pid, &reader)
        }
        guard rest.isEmpty else { return false }
        finish()
        return true
    }

    private mutating func look(at pid: Int, _ reader: inout FactReader) {
        // A process that has ended meanwhile, or has no command line, is no VM.
        guard
            let line = try? reader.value("/proc/\(pid)/cmdline", parse: { CommandLine($0) }),
            !line.arguments.isEmpty, let bytes = promise(line.arguments)
        else { return }
        let pages = try? reader.value("/proc/\(pid)/statm") { try MemoryPages($0).resident }
        guard let pages else { return }
        vms += 1
        promised += Double(bytes)
        resident += Double(pages) * Double(ReadableFile.pageByteCount)
    }

    private mutating func finish() {
        facts = [
            Fact(
                Self.host, .memoryPromised, .number(promised),
                from: "/proc/PID/cmdline of \(vms) VMs, -m"),
            Fact(
                Self.host, .memoryOfVMs, .number(resident),
                from: "/proc/PID/statm of \(vms) VMs"),
        ]
    }

    private static func missing(_ reason: String) -> [Fact] {
        [
            Fact(host, .memoryPromised, missing: reason, from: "/proc/PID/cmdline"),
            Fact(host, .memoryOfVMs, missing: reason, from: "/proc/PID/statm"),
        ]
    }
}
