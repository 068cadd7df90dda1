import Telemetry

/// A run of guest-physical addresses behind which there is RAM (`info mtree`).
public struct QMPMemoryRange: Sendable, Hashable {
    /// The first guest-physical address.
    public var start: UInt64
    /// The last one.
    public var last: UInt64
    /// What QEMU calls the memory: `pc.ram`, `mem0`.
    public var name: String
    /// How far into that memory it begins, bytes.
    public var offset: UInt64

    /// `start...last`, which begins `offset` bytes into `name`.
    public init(start: UInt64, last: UInt64, name: String, offset: UInt64) {
        self.start = start
        self.last = last
        self.name = name
        self.offset = offset
    }

    /// The RAM that devices see (address space `memory`), in the order of its addresses; `nil` if
    /// the text has no such space. ROM, I/O and memory of other devices is left out.
    public static func all(in text: String) -> [QMPMemoryRange]? {
        MemoryTree(text).memory(of: "memory")
    }

    /// More ranges than any machine has are a mistake, or worse.
    static let limit = 4096
}

/// Where a guest-physical address lies in QEMU's own memory (`gpa2hva`).
public struct QMPHostAddress: Sendable, Hashable {
    /// The guest-physical address.
    public var guest: UInt64
    /// The address in QEMU's process.
    public var host: UInt64

    /// `Host virtual address for 0x100000 (pc.ram) is 0x7f40a3e00000`; `nil` for anything else, as
    /// where there is no RAM.
    public init?(_ text: String) {
        let lead = "Host virtual address for 0x"
        guard let line = text.split(separator: "\n").first, line.hasPrefix(lead) else { return nil }
        let words = line.dropFirst(lead.count).split(separator: " ")
        guard words.count >= 4, words[words.count - 2] == "is", let last = words.last,
            last.hasPrefix("0x"), let guest = UInt64(words[0], radix: 16),
            let host = UInt64(last.dropFirst(2), radix: 16), host > 0
        else { return nil }
        self.guest = guest
        self.host = host
    }
}
