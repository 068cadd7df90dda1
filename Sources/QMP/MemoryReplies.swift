/// A machine that this QEMU can be (`query-machines`).
public struct QMPMachineType: Sendable, Equatable {
    /// `pc-q35-7.2`
    public var name: String?
    /// What also stands for it: `q35`.
    public var alias: String?
    /// Whether it will be removed (QEMU 5.1).
    public var isDeprecated: Bool?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        name = value["name"]?.text
        alias = value["alias"]?.text
        isDeprecated = value["deprecated"]?.bool
    }
}

/// What guest memory lies on (`query-memdev`).
public struct QMPMemoryBackend: Sendable, Equatable {
    public var id: String?
    /// Bytes.
    public var size: UInt64?
    /// Whether other processes can map it, as a vhost-user backend must.
    public var isShared: Bool?
    /// Whether the host may merge its pages (KSM).
    public var merges: Bool?
    public var isPreallocated: Bool?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        id = value["id"]?.text
        size = value["size"]?.uint64
        isShared = value["share"]?.bool
        merges = value["merge"]?.bool
        isPreallocated = value["prealloc"]?.bool
    }
}

/// A block of memory of QEMU's (`x-query-ramblock`, `info ramblock`).
public struct QMPRAMBlock: Sendable, Equatable {
    /// `pc.ram`, `/objects/mem0`, a ROM; empty for a backend that the guest does not have yet.
    public var name: String
    /// Size of the host's pages under it, bytes.
    public var pageSize: UInt64
    /// Bytes.
    public var used: UInt64

    /// Where it begins in QEMU's own memory (QEMU 8.0); before, nobody says.
    public var host: UInt64?

    /// The rows of the table that QEMU prints for people: name, page size, offset, used, total, and
    /// since QEMU 8.0 its address in QEMU and `rw` or `ro`. What is no such row is passed over.
    public static func all(in text: String) -> [QMPRAMBlock] {
        text.split(separator: "\n").compactMap { QMPRAMBlock(row: $0) }
    }

    /// A name may hold spaces, so that a row is read from its end.
    private init?(row: Substring) {
        var words = row.split(separator: " ")
        if words.last == "rw" || words.last == "ro" {
            host = words.dropLast().last.flatMap(Self.hexadecimal)
            words.removeLast(min(2, words.count))
        }
        guard words.count >= 5, let used = Self.hexadecimal(words[words.count - 2]),
            Self.hexadecimal(words[words.count - 3]) != nil,
            let pageSize = Self.size(words[words.count - 5], unit: words[words.count - 4])
        else { return nil }
        name = words.dropLast(5).joined(separator: " ")
        self.pageSize = pageSize
        self.used = used
    }

    private static func hexadecimal(_ word: Substring) -> UInt64? {
        word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : nil
    }

    private static func size(_ number: Substring, unit: Substring) -> UInt64? {
        guard let count = UInt64(number), count > 0,
            let shift = ["B": 0, "KiB": 10, "MiB": 20, "GiB": 30][String(unit)],
            count <= UInt64.max >> shift
        else { return nil }
        return count << shift
    }
}
