private import CKernel
private import Glibc
private import SystemPackage

/// What a perf event counts.
public struct PerfEventKind: Sendable, Hashable {
    /// Counters that the kernel keeps in software, by perf's names.
    public enum Software: UInt64, Sendable, CaseIterable {
        case cpuClock, taskClock, pageFaults, contextSwitches, cpuMigrations, minorFaults
        case majorFaults, alignmentFaults, emulationFaults

        /// perf's word for it, for example `context-switches`.
        public var name: String {
            switch self {
            case .cpuClock: "cpu-clock"
            case .taskClock: "task-clock"
            case .pageFaults: "page-faults"
            case .contextSwitches: "context-switches"
            case .cpuMigrations: "cpu-migrations"
            case .minorFaults: "minor-faults"
            case .majorFaults: "major-faults"
            case .alignmentFaults: "alignment-faults"
            case .emulationFaults: "emulation-faults"
            }
        }
    }
    let type: UInt32
    let config: UInt64
    /// As users know it: `software:context-switches`, `tracepoint:kvm:kvm_exit`.
    public let name: String

    /// A counter the kernel keeps in software.
    public static func software(_ counter: Software) -> PerfEventKind {
        PerfEventKind(type: 1, config: counter.rawValue, name: "software:" + counter.name)
    }

    /// The tracepoint that tracefs gives the number `id`; `name` is for errors.
    public static func tracepoint(id: UInt64, name: String) -> PerfEventKind {
        PerfEventKind(type: 2, config: id, name: name)
    }
}

/// Whose events are counted.
public enum PerfTarget: Sendable, Hashable {
    /// A thread, whichever CPU it runs on.
    case thread(Int)
    /// A CPU, whoever runs on it.
    case cpu(Int)

    var thread: CInt {
        if case .thread(let id) = self { CInt(clamping: id) } else { -1 }
    }
    var cpu: CInt {
        if case .cpu(let number) = self { CInt(clamping: number) } else { -1 }
    }
    var text: String {
        switch self {
        case .thread(let id): "of thread \(id)"
        case .cpu(let number): "of CPU \(number)"
        }
    }
}

/// An event to open, and which of its occurrences count.
public struct PerfRequest: Sendable, Hashable {
    public var kind: PerfEventKind
    /// An expression over the tracepoint's fields, `count == 8`; `nil` counts all.
    public var filter: String?

    /// All events of `kind` that fulfil `filter`.
    public init(_ kind: PerfEventKind, filter: String? = nil) {
        self.kind = kind
        self.filter = filter
    }
}

/// A perf event could not be opened: which of those asked for, and why.
public struct PerfError: Error, Sendable, CustomStringConvertible {
    /// Index in the array of requests.
    public var index: Int
    public var cause: KernelError

    /// Request `index` failed by `cause`.
    public init(index: Int, cause: KernelError) {
        self.index = index
        self.cause = cause
    }

    public var description: String { cause.description }
}

/// The descriptor of one perf event, closed with its last reference.
final class PerfDescriptor: Sendable {
    let number: CInt
    private let name: String

    /// Opens `request` on `target`; it is stopped unless a `leader` with its group runs.
    init(
        _ request: PerfRequest, on target: PerfTarget, leader: PerfDescriptor? = nil,
        period: UInt64 = 0, flags: CInt
    ) throws(KernelError) {
        let result = ck_perf_open(
            request.kind.type, request.kind.config, target.thread, target.cpu,
            leader?.number ?? -1, period, flags)
        name = "\(request.kind.name) \(target.text)"
        guard result >= 0 else {
            throw KernelError.perf(
                Errno(rawValue: -result), opening: "\(request.kind.name) \(target.text)")
        }
        number = result
        guard let filter = request.filter else { return }
        // SAFETY: the text lives for the call, which copies it.
        let error = unsafe filter.withCString { unsafe ck_perf_filter(number, $0) }
        guard error == 0 else {
            throw KernelError(
                "filter \(request.kind.name) by", "\"\(filter)\"", Errno(rawValue: -error),
                remedy: "compare its filter with the fields in tracefs, "
                    + "events/\(request.kind.path)/format")
        }
    }

    deinit { close(number) }

    /// The number its records carry.
    func id() throws(KernelError) -> UInt64 {
        var id: UInt64 = 0
        // SAFETY: the call fills a value on the stack.
        let error = unsafe ck_perf_id(number, &id)
        guard error == 0 else { throw self.error("ask the id of", error) }
        return id
    }

    /// Starts or stops it, with its group if it leads one.
    func enable(_ enabled: Bool, group: Bool) throws(KernelError) {
        let error = ck_perf_enable(number, enabled ? 1 : 0, group ? 1 : 0)
        guard error == 0 else { throw self.error(enabled ? "start" : "stop", error) }
    }

    /// Lets its records go to the ring of `other`.
    func redirect(to other: PerfDescriptor) throws(KernelError) {
        let error = ck_perf_redirect(number, other.number)
        guard error == 0 else { throw self.error("share a ring with", error) }
    }

    /// Has only every `period`th event recorded from now on.
    func setPeriod(_ period: UInt64) { _ = ck_perf_period(number, max(1, period)) }

    /// Reads as many words as the event has, at most those of `words`.
    func read(into words: inout [UInt64]) throws(KernelError) -> Int {
        var count = 0
        repeat {
            // SAFETY: the kernel writes at most the array's own bytes, while it is borrowed here.
            count = unsafe words.withUnsafeMutableBytes {
                unsafe Glibc.read(number, $0.baseAddress, $0.count)
            }
        } while count < 0 && lastErrno() == EINTR
        guard count >= 0 else { throw KernelError("read", name, currentErrno()) }
        return count / 8
    }

    private func error(_ attempt: String, _ result: CInt) -> KernelError {
        KernelError(attempt, name, Errno(rawValue: -result))
    }
}

extension PerfEventKind {
    /// Where tracefs has it, below `events`.
    var path: String {
        name.split(separator: ":").suffix(2).joined(separator: "/")
    }
}

extension KernelError {
    /// Opening the perf event `subject` failed by `errno`.
    fileprivate static func perf(_ errno: Errno, opening subject: String) -> KernelError {
        let remedy: String? =
            switch errno {
            case .permissionDenied, .notPermitted:
                "run as root or with CAP_PERFMON; " + paranoia
            case .noSuchFileOrDirectory, .notSupported, .noFunction, .invalidArgument:
                "use a kernel that has this event (CONFIG_PERF_EVENTS, CONFIG_FTRACE_SYSCALLS)"
            case .tooManyOpenFiles: "raise the limit of open files (ulimit -n)"
            default: nil
            }
        return KernelError("open the event", subject, errno, remedy: remedy)
    }

    /// What the system allows ordinary users, in a few words.
    private static var paranoia: String {
        let path = "/proc/sys/kernel/perf_event_paranoid"
        let bytes = try? readWholeFile(path, limit: 64)
        let level = bytes.flatMap {
            Int(String(decoding: $0.prefix { $0 > 32 }, as: UTF8.self))
        }
        return level.map { "kernel.perf_event_paranoid is \($0) here" } ?? "\(path) is unreadable"
    }
}
