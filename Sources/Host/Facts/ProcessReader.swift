internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// Why something could not be read. Fit for a screen.
struct Absence: Error, Equatable {
    var reason: String

    /// What it takes to look at another user's process.
    static let rights = Absence(reason: "needs CAP_SYS_PTRACE or the VM's own user")
    /// Nobody said which thread is which.
    static let threads = Absence(reason: "QEMU's threads are not known (query-cpus-fast)")
    /// A rate has no value yet.
    static let secondReading = Absence(reason: "needs a second reading")
    /// Its turn has not come yet.
    static let turn = Absence(reason: "not looked at yet")
}

/// Reads the files that tell of one process, and keeps in mind which it must not read.
struct ProcessReader: Sendable {
    let pid: Int
    let files: HostFiles
    /// What the last attempt was refused for want of rights: `fd`, `maps`, …
    private(set) var refused: Set<String> = []
    private var buffer = [UInt8](repeating: 0, count: 8192)

    init(pid: Int, files: HostFiles) {
        self.pid = pid
        self.files = files
    }

    /// Where this process's file `name` is.
    func path(_ name: String) -> String { "/proc/\(pid)/\(name)" }

    /// Reads the file at `path` to its end and parses it.
    mutating func read<Value>(
        _ path: String, parse: (Span<UInt8>) throws -> Value
    ) throws(Absence) -> Value {
        do {
            let file = try files.open(path)
            let value = try file.readValue(into: &buffer, parse: parse)
            // A file of megabytes comes every few minutes at most.
            if buffer.count > 1 << 17 { buffer = [UInt8](repeating: 0, count: 8192) }
            note(path, isRefused: false)
            return value
        } catch let error as KernelError {
            throw absence(error, of: path)
        } catch {
            throw Absence(reason: "\(error)")
        }
    }

    /// Reads the first `count` bytes of the file at `path`.
    mutating func readHead<Value>(
        _ path: String, count: Int, parse: (Span<UInt8>) throws -> Value
    ) throws(Absence) -> Value {
        var head = [UInt8](repeating: 0, count: count)
        do {
            let filled = try files.open(path).read(into: &head)
            let value = try parse(head.span.extracting(first: min(filled, count)))
            note(path, isRefused: false)
            return value
        } catch let error as KernelError {
            throw absence(error, of: path)
        } catch {
            throw Absence(reason: "\(error)")
        }
    }

    /// What `error`, met at `path`, means to whoever reads the fact.
    mutating func absence(_ error: KernelError, of path: String) -> Absence {
        let lacksRights = error.errno == .permissionDenied || error.errno == .notPermitted
        note(path, isRefused: lacksRights)
        switch error.errno {
        case .permissionDenied, .notPermitted: return .rights
        case .noSuchFileOrDirectory: return Absence(reason: "there is no such file")
        case .noSuchProcess: return Absence(reason: "the process has ended")
        default: return Absence(reason: error.description)
        }
    }

    /// Threads and descriptors of a process share one entry each, under their directory's name.
    private mutating func note(_ path: String, isRefused: Bool) {
        guard path.hasPrefix("/proc/\(pid)/") else { return }
        let parts = path.split(separator: "/").dropFirst(2)
        let name = parts.first == "task" ? "task/\(parts.last ?? "")" : String(parts.first ?? "")
        if isRefused {
            refused.insert(name)
        } else {
            refused.remove(name)
        }
    }

    /// What cannot be looked at here for want of rights, in one line; `nil` if all can.
    var refusal: String? {
        guard !refused.isEmpty else { return nil }
        return "/proc/\(pid)/{\(refused.sorted().joined(separator: ","))}: "
            + Absence.rights.reason
    }
}

/// When something is to be done again.
struct Beat: Sendable {
    private let period: Nanoseconds
    private var last: Nanoseconds?
    /// Whoever comes once a second does so to some milliseconds; who is this early is not sent
    /// away for a whole turn.
    private static let slack: Nanoseconds = 100_000_000

    init(seconds: Nanoseconds) { period = seconds * 1_000_000_000 }

    /// Whether it is time, the first one included; if so the next period begins.
    mutating func isDue(_ now: Nanoseconds) -> Bool {
        if let last, now >= last, now - last + Self.slack < period { return false }
        last = now
        return true
    }

    /// Makes the next question a first one.
    mutating func hurry() { last = nil }
}

/// Numbers that move by themselves, made coarse, so that noise is no news.
enum Coarse {
    /// To one decimal.
    static func percent(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    /// To three digits.
    static func rate(_ value: Double) -> Double {
        var step = 0.001
        while value >= step * 1000, step < 1e15 { step *= 10 }
        // Through the number of steps, so that 0.1 is 0.1.
        return step < 1 ? (value / step).rounded() / (1 / step) : (value / step).rounded() * step
    }

    /// To 8 binary digits, an error of at most 0.4 %: powers of two and their like stay as they
    /// are.
    static func size(_ bytes: UInt64) -> Double {
        let surplus = max(0, 64 - bytes.leadingZeroBitCount - 8)
        let step = Double(UInt64(1) << UInt64(surplus))
        return (Double(bytes) / step).rounded() * step
    }

    /// The first two digits of a time that runs.
    static func seconds(_ value: Double) -> Double {
        var step = 1.0
        while value >= step * 100, step < 1e15 { step *= 10 }
        return (value / step).rounded(.down) * step
    }
}

extension Fact {
    /// The fact that `read` gives, or why there is none.
    init(
        _ subject: Subject, _ name: FactName, from source: String,
        _ read: () throws(Absence) -> FactValue
    ) {
        do {
            self.init(subject, name, try read(), from: source)
        } catch {
            self.init(subject, name, missing: error.reason, from: source)
        }
    }
}
