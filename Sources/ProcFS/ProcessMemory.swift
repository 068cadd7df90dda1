/// How much of a process's memory is swapped out and how much may never be (/proc/PID/status).
public struct ProcessMemory: Sendable, Equatable {
    /// Bytes it holds in memory for good (`VmLck`).
    public let locked: UInt64
    /// Bytes of its anonymous memory in swap (`VmSwap`).
    public let swapped: UInt64

    /// Parses the file's text. Throws for a line that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "status")
        locked = try fields.kibibytes("VmLck", in: text)
        swapped = try fields.kibibytes("VmSwap", in: text)
    }
}

/// What a process has in memory, all mappings together (/proc/PID/smaps_rollup, Linux 4.14).
public struct MemoryRollup: Sendable, Equatable {
    /// Bytes in memory, those of hugetlbfs among them, which the kernel's `Rss` leaves out.
    public let resident: UInt64
    /// Bytes of these in huge pages: transparent ones of anonymous and shared memory and of files,
    /// and those of hugetlbfs.
    public let huge: UInt64

    /// Parses the file's text. Throws without `Rss`, and for a line that is cut short or no number;
    /// kinds of huge pages that a kernel does not know are 0.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "smaps_rollup")
        let ordinary = try fields.kibibytes("Rss", in: text)
        var transparent: UInt64 = 0
        for key in ["AnonHugePages", "ShmemPmdMapped", "FilePmdMapped"] {
            transparent = transparent.addingClamped(
                try fields.kibibytesIfPresent(key, in: text) ?? 0)
        }
        var reserved: UInt64 = 0
        for key in ["Shared_Hugetlb", "Private_Hugetlb"] {
            reserved = reserved.addingClamped(try fields.kibibytesIfPresent(key, in: text) ?? 0)
        }
        resident = ordinary.addingClamped(reserved)
        huge = transparent.addingClamped(reserved)
    }
}

/// On which NUMA nodes a process's memory lies (/proc/PID/numa_maps).
public struct NodeMemory: Sendable, Equatable {
    /// Bytes by number of the node; nodes without any are not there.
    public let bytes: [Int: UInt64]

    /// Adds up all mappings in the file's text: `ADDRESS POLICY … N0=PAGES … kernelpagesize_kB=4`.
    /// What does not have this form counts nothing, nor does a last line that was cut short.
    public init(_ text: Span<UInt8>) {
        var sums: [Int: UInt64] = [:]
        var fields = FieldScanner(file: "numa_maps")
        while fields.lineEnd(in: text) < text.count {
            var pages: [(node: Int, count: UInt64)] = []
            var pageSize: UInt64 = 4096
            while !fields.isAtLineEnd(in: text) {
                let end = fields.fieldEnd(in: text)
                if text[fields.position] == UInt8(ascii: "N") {
                    fields.move(to: fields.position + 1)
                    if let page = fields.assignment(in: text), let node = Int(page.name) {
                        pages.append((node, page.value))
                    }
                } else if let size = fields.assignment(in: text), size.name == "kernelpagesize_kB" {
                    pageSize = size.value.multipliedClamped(by: 1024)
                }
                fields.move(to: end)
            }
            for (node, count) in pages {
                sums[node] = (sums[node] ?? 0).addingClamped(count.multipliedClamped(by: pageSize))
            }
            fields.skipLine(in: text)
        }
        bytes = sums.filter { $0.value > 0 }
    }

    /// The node with most of it, and how much of all that is, percent; `nil` if there is none.
    public var largest: (node: Int, percent: Double)? {
        let all = bytes.values.reduce(0) { $0 + Double($1) }
        // Of several alike the lowest, so that the answer stays.
        let node = bytes.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return node.map { ($0.key, Double($0.value) / all * 100) }
    }
}

extension FieldScanner {
    /// The number behind the next line's `key:`, which stands for KiB, in bytes.
    mutating func kibibytes(_ key: String, in text: Span<UInt8>) throws(ProcFSError) -> UInt64 {
        try number(key: key, in: text).multipliedClamped(by: 1024)
    }

    /// Likewise; `nil` if no such line follows.
    mutating func kibibytesIfPresent(
        _ key: String, in text: Span<UInt8>
    ) throws(ProcFSError) -> UInt64? {
        guard find(key: key, in: text) else { return nil }
        return try number(key, in: text).multipliedClamped(by: 1024)
    }

    /// The next field if it has the form `NAME=NUMBER`, and else `nil`, with the position where it
    /// was.
    mutating func assignment(in text: Span<UInt8>) -> (name: String, value: UInt64)? {
        let end = fieldEnd(in: text)
        let start = position
        guard let sign = (start..<end).first(where: { text[$0] == UInt8(ascii: "=") }) else {
            return nil
        }
        let name = self.text(upTo: sign, in: text)
        move(to: sign + 1)
        guard sign + 1 < end, let value = try? number(name, in: text) else {
            move(to: start)
            return nil
        }
        return (name, value)
    }
}

extension UInt64 {
    /// The sum, and the largest number where that does not fit.
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }

    /// The product, and the largest number where that does not fit.
    func multipliedClamped(by other: UInt64) -> UInt64 {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? .max : product
    }
}
