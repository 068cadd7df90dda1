/// Where QEMU's threads waited for its locks since it profiles them (`info sync-profile`).
public struct QMPLockProfile: Sendable, Equatable {
    /// Waits for locks of one kind at one place of QEMU's code, of all threads that came by.
    public struct Site: Sendable, Equatable {
        /// `BQL mutex`, `mutex`, `rec_mutex`, `condvar`.
        public var kind: String
        /// File and line, below the source tree: `softmmu/physmem.c:2748`.
        public var place: String
        /// Seconds in all, in steps of 10 µs.
        public var waited: Double
        /// How often it was locked, waiting or not.
        public var count: UInt64
    }
    /// In QEMU's order.
    public var sites: [Site]

    /// Reads the table that QEMU prints for people; `nil` where `text` is none. Rows that are none
    /// are passed over.
    public init?(_ text: String) {
        let lines = text.split(separator: "\n")
        let title = ["Type", "Object", "Call", "site", "Wait", "Time", "(s)", "Count", "Average"]
        guard
            let head = lines.firstIndex(where: {
                $0.split(separator: " ").prefix(title.count).elementsEqual(
                    title, by: { $0 == $1[...] })
            })
        else { return nil }
        sites = lines[(head + 1)...].compactMap { Site(row: $0) }
    }

    /// What `sync-profile` says; `nil` for anything else, such as that there is no such command.
    static func isOn(_ text: String) -> Bool? {
        switch text.split(separator: "\n").first {
        case "sync-profile is on": true
        case "sync-profile is off": false
        default: nil
        }
    }
}

extension QMPLockProfile.Site {
    /// A row is read from its end: the kind, and how many objects there were, hold spaces.
    fileprivate init?(row: Substring) {
        let words = row.split(separator: " ")
        guard words.count >= 6, let average = Self.amount(words[words.count - 1]), average >= 0,
            let count = UInt64(words[words.count - 2]),
            let waited = Self.amount(words[words.count - 3]),
            let object = words.firstIndex(where: { $0.hasPrefix("0x") || $0.hasPrefix("[") }),
            object > 0, object < words.count - 4
        else { return nil }
        kind = words[..<object].joined(separator: " ")
        place = String(words[words.count - 4])
        self.waited = waited
        self.count = count
    }

    /// A decimal number of a size that time can have; `inf` and the like are none.
    private static func amount(_ word: Substring) -> Double? {
        guard word.utf8.count <= 24, word.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") })
        else { return nil }
        return Double(word)
    }
}
