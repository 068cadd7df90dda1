/// The memory of a process, as far as it tells what an address belongs to (/proc/PID/maps).
public struct MemoryMap: Sendable, Equatable {
    /// One line of the file.
    public struct Mapping: Sendable, Equatable {
        public var start: UInt64
        /// The first address behind it.
        public var end: UInt64
        public var isReadable: Bool
        public var isWritable: Bool
        public var isExecutable: Bool
        /// Whether writes reach the file, and whoever else has mapped it.
        public var isShared: Bool
        /// Where in the file it begins, bytes.
        public var offset: UInt64
        /// The file's device, and its number there; 0 for anonymous memory.
        public var major, minor: UInt32
        public var inode: UInt64
        /// The file's path, `[heap]` and the like, empty for anonymous memory; control characters
        /// are U+FFFD.
        public var path: String

        /// A mapping of `start..<end`.
        public init(
            start: UInt64, end: UInt64, isReadable: Bool = true, isWritable: Bool,
            isExecutable: Bool, isShared: Bool = false, offset: UInt64 = 0,
            device: (major: UInt32, minor: UInt32) = (0, 0), inode: UInt64 = 0, path: String
        ) {
            self.start = start
            self.end = end
            self.isReadable = isReadable
            self.isWritable = isWritable
            self.isExecutable = isExecutable
            self.isShared = isShared
            self.offset = offset
            (major, minor) = device
            self.inode = inode
            self.path = path
        }
    }

    /// What an address was found to belong to.
    public struct Place: Sendable, Equatable {
        /// What kind of memory it is.
        public enum Kind: Sendable, Equatable {
            /// Static data of the program itself, initialized or not (.data, .bss).
            case programData
            /// Of another file: a library, shared memory.
            case file
            /// Anonymous: heap, stacks, guest memory.
            case anonymous
        }
        public var kind: Kind
        /// The last component of the file's path; empty for anonymous memory.
        public var name: String
        /// Bytes from where the file is mapped first.
        public var offset: UInt64

        /// A place `offset` bytes into `name`.
        public init(kind: Kind, name: String, offset: UInt64) {
            self.kind = kind
            self.name = name
            self.offset = offset
        }
    }

    /// In the order of their addresses.
    public let mappings: [Mapping]
    /// The mappings in which the program's own variables live: the writable ones of its file, and
    /// the anonymous one right behind them, which is the rest of .bss.
    private let programData: Range<Int>?
    private let programStart: UInt64
    private let programPath: String

    /// The most lines looked at; a QEMU with a thousand disks has some thousands.
    private static let lineLimit = 65_536

    /// Parses the file's text. Throws for a line that does not start
    /// `FROM-TO PERMISSIONS OFFSET DEVICE INODE`; a last line that was cut short is left out.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var mappings: [Mapping] = []
        var line: [UInt8] = []
        for index in text.indices {
            guard text[index] == .newline else {
                line.append(text[index])
                continue
            }
            guard mappings.count < Self.lineLimit, let mapping = Mapping(line: line) else {
                throw ProcFSError(file: "maps", field: "line \(mappings.count + 1)")
            }
            mappings.append(mapping)
            line.removeAll(keepingCapacity: true)
        }
        self.init(mappings)
    }

    /// A memory of `mappings`, in the order of their addresses.
    public init(_ mappings: [Mapping]) {
        self.mappings = mappings
        // The kernel maps the program below its heap, its libraries and its stacks.
        let code = mappings.first { $0.isExecutable && $0.path.hasPrefix("/") }
        programPath = code?.path ?? ""
        let own = mappings.indices.filter { code != nil && mappings[$0].path == code?.path }
        programStart = own.first.map { mappings[$0].start } ?? 0
        guard let last = own.last, let first = own.first(where: { mappings[$0].isWritable }) else {
            programData = nil
            return
        }
        let next = last + 1
        let isFollowed =
            next < mappings.count && mappings[next].start == mappings[last].end
            && mappings[next].isWritable && mappings[next].path.isEmpty
        programData = first..<(isFollowed ? next + 1 : next)
    }

    /// What `address` belongs to, `nil` if it is not mapped.
    public func place(of address: UInt64) -> Place? {
        guard let index = index(of: address) else { return nil }
        if let programData, programData.contains(index) {
            return Place(
                kind: .programData, name: Self.lastComponent(of: programPath),
                offset: address - min(address, programStart))
        }
        let mapping = mappings[index]
        guard mapping.path.hasPrefix("/") else {
            return Place(kind: .anonymous, name: "", offset: address - mapping.start)
        }
        let first = mappings.first { $0.path == mapping.path }
        return Place(
            kind: .file, name: Self.lastComponent(of: mapping.path),
            offset: address - min(address, first?.start ?? mapping.start))
    }

    /// The mappings that together hold `byteCount` bytes from `address` on, in order and without a
    /// gap; none if a part is not mapped or may not be read.
    public func readable(from address: UInt64, byteCount: UInt64) -> ArraySlice<Mapping> {
        let (end, overflows) = address.addingReportingOverflow(byteCount)
        guard !overflows, byteCount > 0, let first = index(of: address) else { return [] }
        var last = first
        while true {
            guard mappings[last].isReadable else { return [] }
            if mappings[last].end >= end { return mappings[first...last] }
            guard last + 1 < mappings.count, mappings[last + 1].start == mappings[last].end else {
                return []
            }
            last += 1
        }
    }

    private func index(of address: UInt64) -> Int? {
        var (low, high) = (0, mappings.count)
        while low < high {
            let middle = low + (high - low) / 2
            if mappings[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low < mappings.count && mappings[low].start <= address ? low : nil
    }

    private static func lastComponent(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}

extension MemoryMap.Mapping {
    /// `START-END rwxp OFFSET DEVICE INODE   PATH`, addresses in hexadecimal.
    init?(line: [UInt8]) {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
        guard fields.count >= 5 else { return nil }
        let range = fields[0].split(separator: UInt8(ascii: "-"))
        guard range.count == 2, let start = Self.hexadecimal(range[0]),
            let end = Self.hexadecimal(range[1]), start < end
        else { return nil }
        let permissions = Array(fields[1])
        guard permissions.count == 4, let offset = Self.hexadecimal(fields[2]),
            let device = Self.device(fields[3]), let inode = Self.decimal(fields[4])
        else { return nil }
        var path = ""
        if fields.count == 6 {
            let bytes = Array(fields[5].drop { $0 == UInt8(ascii: " ") })
            var scanner = FieldScanner(file: "maps")
            path = scanner.text(upTo: bytes.count, in: bytes.span)
        }
        self.init(
            start: start, end: end, isReadable: permissions[0] == UInt8(ascii: "r"),
            isWritable: permissions[1] == UInt8(ascii: "w"),
            isExecutable: permissions[2] == UInt8(ascii: "x"),
            isShared: permissions[3] == UInt8(ascii: "s"), offset: offset, device: device,
            inode: inode, path: path)
    }

    /// `fd:01`
    private static func device(_ field: ArraySlice<UInt8>) -> (major: UInt32, minor: UInt32)? {
        let parts = field.split(separator: UInt8(ascii: ":"))
        guard parts.count == 2, let major = hexadecimal(parts[0]).flatMap(UInt32.init(exactly:)),
            let minor = hexadecimal(parts[1]).flatMap(UInt32.init(exactly:))
        else { return nil }
        return (major, minor)
    }

    private static func decimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard digits.allSatisfy({ $0.digit != nil }) else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard digits.count <= 16, digits.allSatisfy({ $0.digit != nil || $0.isLetter }) else {
            return nil
        }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
