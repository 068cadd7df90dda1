/// What a process may use of some resources (/proc/PID/limits): the soft limits, which count.
public struct ProcessLimits: Sendable, Equatable {
    /// Descriptors it may have (`Max open files`); `nil`: as many as it likes.
    public let openFiles: UInt64?
    /// Bytes it may lock into memory (`Max locked memory`); `nil`: as many as it likes.
    public let lockedMemory: UInt64?

    /// Parses the file's text. Throws for a line that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        openFiles = try Self.limit("Max open files", in: text)
        lockedMemory = try Self.limit("Max locked memory", in: text)
    }

    private static func limit(
        _ name: String, in text: Span<UInt8>
    ) throws(ProcFSError) -> UInt64? {
        var fields = FieldScanner(file: "limits")
        let words = name.split(separator: " ")
        while fields.position < text.count {
            var count = 0
            while count < words.count, let word = try? fields.word(name, in: text),
                word == words[count]
            { count += 1 }
            guard count == words.count else {
                fields.skipLine(in: text)
                continue
            }
            var ahead = fields
            if try ahead.word(name, in: text) == "unlimited" { return nil }
            return try fields.number(name, in: text)
        }
        throw fields.error(name)
    }
}

/// On which CPUs a thread may run (/proc/PID/task/TID/status).
public struct ThreadAffinity: Sendable, Equatable {
    /// As the kernel writes a set of CPUs: `0-3,8` (`Cpus_allowed_list`).
    public let allowedCPUs: String

    /// Parses the file's text. Throws if the line is missing or cut short.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "status")
        guard fields.find(key: "Cpus_allowed_list", in: text) else {
            throw fields.error("Cpus_allowed_list")
        }
        allowedCPUs = try fields.word("Cpus_allowed_list", in: text)
    }
}

/// Where in the kernel a sleeping thread waits (/proc/PID/task/TID/wchan).
public struct WaitChannel: Sendable, Equatable {
    /// The kernel's function; `nil` for a thread that runs, and where the reader may not know it:
    /// the kernel writes `0` for both.
    public let name: String?

    /// Takes the file's text, which has no newline.
    public init(_ text: Span<UInt8>) {
        var fields = FieldScanner(file: "wchan")
        let word = fields.text(upTo: fields.lineEnd(in: text), in: text)
        name = word.isEmpty || word == "0" ? nil : word
    }
}

/// How wide the registers of a program are, by its ELF header (/proc/PID/exe).
public struct ELFClass: Sendable, Equatable {
    /// How much of the file it takes.
    public static let byteCount = 5
    /// 32 or 64.
    public let bits: Int

    /// Parses the file's first bytes. Throws if they are not those of an ELF file.
    public init(_ bytes: Span<UInt8>) throws(ProcFSError) {
        let magic: [UInt8] = [0x7F] + Array("ELF".utf8)
        guard bytes.count >= Self.byteCount, magic.indices.allSatisfy({ bytes[$0] == magic[$0] }),
            bytes[4] == 1 || bytes[4] == 2
        else { throw ProcFSError(file: "exe", field: "EI_CLASS") }
        bits = bytes[4] == 1 ? 32 : 64
    }
}

/// For how long the host is up (/proc/uptime).
public struct HostUptime: Sendable, Equatable {
    /// Seconds since it was started, time in suspension included; to 10 ms.
    public let seconds: Double

    /// Parses the file's text. Throws if it is cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "uptime")
        guard let value = Double(try fields.word("uptime", in: text)), value.isFinite, value >= 0
        else { throw fields.error("uptime") }
        seconds = value
    }
}
