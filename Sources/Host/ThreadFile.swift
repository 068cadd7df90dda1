internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// One of the files the kernel keeps for a thread, opened when first read and then kept open.
struct ThreadFile: Sendable {
    /// The files used, and what each is the source of.
    enum Kind: String, Sendable, CaseIterable {
        case stat, schedstat, status, sched

        /// JSON keys of the columns that come from it.
        var metrics: [String] {
            switch self {
            case .stat: ["last_cpu"]
            case .schedstat: ["cpu_percent", "run_delay_percent"]
            case .status: ["voluntary_switches_per_s", "involuntary_switches_per_s"]
            case .sched: ["migrations_per_s"]
            }
        }

        /// What would bring the file where a kernel does not have it.
        var remedyIfMissing: String? {
            switch self {
            case .stat, .status: nil
            case .schedstat: "use a kernel built with CONFIG_SCHED_INFO"
            case .sched: "use a kernel built with CONFIG_SCHED_DEBUG"
            }
        }
    }

    /// The thread behind a file has ended.
    struct ThreadEnded: Error {}

    /// Why a file has no value, and what would help.
    struct Failure: Sendable {
        var reason: String
        var remedy: String?
    }

    private enum State: Sendable {
        case unopened
        case open(any TextFile)
        case unreadable
    }

    let kind: Kind
    private let path: String
    private var state = State.unopened
    /// The last reading's failure, `nil` after a good one.
    private(set) var failure: Failure?

    init(_ kind: Kind, directory: String) {
        self.kind = kind
        self.path = directory + "/" + kind.rawValue
    }

    /// Reads the file and parses it; `nil` if it cannot be read or does not parse, with the reason
    /// in `failure`. A file that cannot be opened or read is not tried again.
    ///
    /// Only `stat` tells a thread that is gone from a file this kernel does not have: every kernel
    /// has it, for every thread.
    mutating func read<Value>(
        into buffer: inout [UInt8], open: TextFileOpener,
        parse: (Span<UInt8>) throws(ProcFSError) -> Value
    ) throws(ThreadEnded) -> Value? {
        let count: Int
        do {
            guard let file = try opened(by: open) else { return nil }
            count = try file.read(into: &buffer)
        } catch {
            let isMissing = error.errno == .noSuchFileOrDirectory
            if error.errno == .noSuchProcess || (isMissing && kind == .stat) {
                throw ThreadEnded()
            }
            state = .unreadable
            failure = Failure(
                reason: error.description,
                remedy: isMissing ? kind.remedyIfMissing : error.remedy)
            return nil
        }
        do {
            let value = try parse(buffer.span.extracting(first: min(count, buffer.count)))
            failure = nil
            return value
        } catch {
            failure = Failure(reason: "\(path): \(error)", remedy: nil)
            return nil
        }
    }

    private mutating func opened(by open: TextFileOpener) throws(KernelError) -> (any TextFile)? {
        switch state {
        case .unreadable:
            return nil
        case .open(let file):
            return file
        case .unopened:
            let file = try open(path)
            state = .open(file)
            return file
        }
    }
}
