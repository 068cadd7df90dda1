internal import Telemetry

/// A file of one line of words: the clocksources there are, a governor, the boot line.
public struct WordLine: Sendable, Equatable {
    /// Fit for a screen; none for an empty line.
    public let words: [String]

    /// Parses the text of a file called `file`. Throws if the line is cut short.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        guard fields.lineEnd(in: text) < text.count else { throw fields.error("newline") }
        var words: [String] = []
        while !fields.isAtLineEnd(in: text) {
            let end = fields.fieldEnd(in: text)
            words.append(fields.text(upTo: end, in: text).harmless())
        }
        self.words = words
    }

    /// The words with one blank between them.
    public var line: String { words.joined(separator: " ") }

    /// Whether `word` stands there by itself, as `nox2apic` does on a boot line.
    public func has(_ word: String) -> Bool { words.contains(word) }

    /// What the boot line sets the parameter `name` to, the last time it does; empty for one
    /// without a value, `nil` if it does not name it. A dash is as good as an underscore.
    public func value(ofParameter name: String) -> String? {
        func plain(_ key: Substring) -> String { String(key.map { $0 == "-" ? "_" : $0 }) }
        for word in words.reversed() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if let key = parts.first, plain(key) == plain(name[...]) {
                return parts.count > 1 ? String(parts[1]) : ""
            }
        }
        return nil
    }
}

/// A module's or kernel's switch: a file of `Y` or `N`, or of a number.
public struct KernelSwitch: Sendable, Equatable {
    public let isOn: Bool

    /// Parses the text of a file called `file`. Throws if it is cut short or anything else.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        let word = try fields.word("value", in: text)
        guard let isOn = Self.meaning(of: word) else { throw fields.error("value") }
        self.isOn = isOn
    }

    /// What a word stands for where the kernel wants a switch; `nil` for what it would not take.
    public static func meaning(of word: String) -> Bool? {
        switch word {
        case "Y", "y", "on": true
        case "N", "n", "off": false
        default: UInt64(word).map { $0 != 0 }
        }
    }
}

/// What the first CPU can do (/proc/cpuinfo): x86 only, others call it otherwise.
public struct CPUFlags: Sendable, Equatable {
    /// Names of features: `x2apic`, `hypervisor`.
    public let names: Set<String>

    /// Parses the file's text, of which the first CPU's part is enough. Throws if there is no line
    /// `flags`, or if it is cut short.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "cpuinfo")
        guard fields.find(key: "flags", in: text), fields.lineEnd(in: text) < text.count else {
            throw fields.error("flags")
        }
        var names: Set<String> = []
        while !fields.isAtLineEnd(in: text) { names.insert(try fields.word("flags", in: text)) }
        self.names = names
    }
}

/// What is mounted, with the options in force (/proc/mounts).
public struct MountOptions: Sendable, Equatable {
    /// One mount. Blanks in its texts are written `\040`, so that each is one word.
    public struct Mount: Sendable, Equatable {
        /// The device, the server's export or a mere word.
        public let source: String
        public let point: String
        public let type: String
        /// With commas between them: those of the mount, then those of the file system.
        public let options: String

        /// Whether there are disks below it, here or on a server.
        public var isOnDisks: Bool {
            source.hasPrefix("/dev/") || type.hasPrefix("nfs") || type == "zfs"
        }
    }

    /// In the order of mounting. All texts are fit for a screen.
    public let mounts: [Mount]

    /// Parses the file's text. Throws for a field that is missing or cut short.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "mounts")
        var mounts: [Mount] = []
        while fields.position < text.count {
            guard fields.lineEnd(in: text) < text.count else { throw fields.error("newline") }
            // A source that is the empty string is none.
            let hasSource = !text[fields.position].isBlank
            mounts.append(
                Mount(
                    source: hasSource ? try fields.word("source", in: text).harmless() : "",
                    point: try fields.word("mount point", in: text).harmless(),
                    type: try fields.word("type", in: text).harmless(),
                    options: try fields.word("options", in: text).harmless()))
            fields.skipLine(in: text)
        }
        self.mounts = mounts
    }
}
