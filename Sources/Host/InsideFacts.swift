internal import Kernel
internal import ProcFS
public import Telemetry

/// What the guest is like that vblktop itself runs in, under the names that its agent's answers
/// have outside.
public struct InsideFacts: Sendable {
    private let files: HostFiles
    private var account = GuestAccount()
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    /// Nothing read yet; `files` is how to look at them.
    public init(files: HostFiles = .live) { self.files = files }

    /// Reads everything once and returns all facts. Interrupts and requests per second are those
    /// since the call before: the first call has none.
    ///
    /// `clock` gives `CLOCK_MONOTONIC` nanoseconds and is asked just before each file is read.
    public mutating func read(clock: () -> Nanoseconds) -> [Fact] {
        account.begin(.whole)
        while let file = account.nextFile() {
            let now = clock()
            do throws(KernelError) {
                // The whole of a file of which the beginning would do is no longer than others.
                let limit = file.isReadInPart ? 4 << 20 : file.limit
                account.take(
                    try text(of: file.path, limit: limit), of: file, isWhole: true, at: now)
            } catch {
                account.miss(file, because: error.description)
            }
        }
        return nameFacts() + account.facts
    }

    /// The bytes of the file at `path`. Throws EFBIG for one that is not shorter than `limit`.
    private mutating func text(of path: String, limit: Int) throws(KernelError) -> [UInt8] {
        let count = try files.open(path).readWhole(into: &buffer, limit: limit)
        return Array(buffer.prefix(count))
    }

    // MARK: Names

    /// What the kernel and the system call themselves; whether file systems are frozen nobody says
    /// inside.
    private mutating func nameFacts() -> [Fact] {
        [
            fact(.guestSystem, "/etc/os-release") { Self.identity(in: $0) },
            fact(.guestKernel, "/proc/sys/kernel/osrelease") { Self.line($0) },
            machine(),
            Fact(
                Subject(.guest), .fileSystemFreeze,
                missing: "only the guest's agent knows: ask it from outside with --qga",
                from: "guest-fsfreeze-status"),
        ]
    }

    private mutating func fact(
        _ name: FactName, _ path: String, _ parse: ([UInt8]) -> String?
    ) -> Fact {
        do throws(KernelError) {
            guard let value = parse(try text(of: path, limit: 64 << 10)) else {
                return Fact(Subject(.guest), name, missing: "it does not say", from: path)
            }
            return Fact(Subject(.guest), name, .text(value), from: path)
        } catch {
            return Fact(Subject(.guest), name, missing: error.description, from: path)
        }
    }

    /// Before Linux 6.1 no file says it, but a program of 64 bits needs a kernel of 64.
    private mutating func machine() -> Fact {
        let fact = fact(.guestMachine, "/proc/sys/kernel/arch") { Self.line($0) }
        guard fact.value == nil, let own = Self.ownMachine else { return fact }
        return Fact(Subject(.guest), .guestMachine, .text(own), from: "vblktop's own architecture")
    }

    private static var ownMachine: String? {
        #if arch(x86_64)
        "x86_64"
        #elseif arch(arm64)
        "aarch64"
        #else
        nil
        #endif
    }

    private static func line(_ text: [UInt8]) -> String? {
        (try? WordLine(text.span, file: "kernel"))
            .flatMap { $0.words.isEmpty ? nil : $0.line.harmless(limit: 256) }
    }

    /// `ID=debian`, in quotes or not.
    private static func identity(in text: [UInt8]) -> String? {
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "ID=".utf8) {
            let word = String(decoding: line.dropFirst(3).prefix(64), as: UTF8.self)
            let plain = word.filter { $0 != "\"" && $0 != "'" }.harmless()
            return plain.isEmpty ? nil : plain
        }
        return nil
    }
}
