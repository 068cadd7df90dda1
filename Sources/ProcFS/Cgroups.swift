public import Telemetry

/// The control groups of a process or thread (/proc/PID/cgroup).
public struct CgroupPaths: Sendable, Equatable {
    /// Its group in the unified hierarchy, from that one's root as the reader sees it; `nil` where
    /// there is none.
    public let unified: String?
    /// Its groups in hierarchies of version 1, by controller: `cpu`, `blkio`, `name=systemd`.
    public let byController: [String: String]

    /// Parses the file's text: lines `ID:CONTROLLERS:PATH`. What has another form is left out.
    /// Paths are fit for a screen.
    public init(_ text: Span<UInt8>) {
        var unified: String?
        var paths: [String: String] = [:]
        var fields = FieldScanner(file: "cgroup")
        while fields.lineEnd(in: text) < text.count {
            let line = fields.text(upTo: fields.lineEnd(in: text), in: text)
            fields.skipLine(in: text)
            let parts = line.split(
                separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2].hasPrefix("/") else { continue }
            if parts[1].isEmpty {
                unified = String(parts[2])
            } else {
                for name in parts[1].split(separator: ",") {
                    paths[String(name)] = String(parts[2])
                }
            }
        }
        self.unified = unified
        byController = paths
    }
}

/// How much CPU a control group may use: cpu.max, or cpu.cfs_quota_us and cpu.cfs_period_us of
/// version 1.
public struct CPUQuota: Sendable, Equatable {
    /// Microseconds of CPU in each period, all CPUs together; `nil`: as many as there are.
    public let quota: UInt64?
    /// Microseconds.
    public let period: UInt64

    /// Parses cpu.max: `max 100000`. Throws for a field that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "cpu.max")
        var ahead = fields
        if try ahead.word("quota", in: text) == "max" {
            quota = nil
            fields = ahead
        } else {
            quota = try fields.number("quota", in: text)
        }
        period = try fields.number("period", in: text)
    }

    /// Of the text of cpu.cfs_quota_us, which is -1 without a limit, and what cpu.cfs_period_us
    /// says. Throws if it is cut short or no number.
    public init(quota text: Span<UInt8>, period: UInt64) throws(ProcFSError) {
        var fields = FieldScanner(file: "cpu.cfs_quota_us")
        var ahead = fields
        quota =
            try ahead.word("quota", in: text) == "-1" ? nil : try fields.number("quota", in: text)
        self.period = period
    }

    /// As cpu.max has it.
    public var text: String { "\(quota.map(String.init) ?? "max") \(period)" }
}

/// How long a control group was kept from running by its quota (cpu.stat).
public struct ThrottledTime: Sendable, Equatable {
    /// Nanoseconds since the group was made, those of each CPU added up.
    public let total: Nanoseconds

    /// Parses the file's text: `throttled_usec`, or `throttled_time` of version 1 in nanoseconds.
    /// Throws without either.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "cpu.stat")
        while fields.lineEnd(in: text) < text.count {
            let key = try fields.word("key", in: text)
            if key == "throttled_usec" {
                total = try fields.number(key, in: text).multipliedClamped(by: 1000)
                return
            }
            if key == "throttled_time" {
                total = try fields.number(key, in: text)
                return
            }
            fields.skipLine(in: text)
        }
        throw fields.error("throttled_usec")
    }
}

/// What a control group may do on each disk per second, or has done since it was made.
public struct CgroupIO: Sendable, Equatable {
    /// On one disk; `nil`: as much as it likes, or not counted.
    public struct Amounts: Sendable, Equatable {
        /// Bytes.
        public var readBytes, writeBytes: UInt64?
        /// Requests.
        public var reads, writes: UInt64?

        /// Nothing limited or counted.
        public init() {}

        /// As a line of io.max has it, without the device.
        public var text: String {
            let word = { (value: UInt64?) in value.map(String.init) ?? "max" }
            return "rbps=\(word(readBytes)) wbps=\(word(writeBytes)) riops=\(word(reads)) "
                + "wiops=\(word(writes))"
        }
    }
    /// By number of the device, `8:0`.
    public private(set) var byDevice: [String: Amounts] = [:]

    /// Nothing.
    public init() {}

    /// Parses io.max (`8:0 rbps=max wbps=1048576 riops=max wiops=120`) or io.stat (`8:0 rbytes=1
    /// wbytes=2 rios=3 wios=4 …`). What has another form is left out.
    public init(_ text: Span<UInt8>) {
        var fields = FieldScanner(file: "io")
        while let device = Self.device(&fields, in: text) {
            var amounts = Amounts()
            while !fields.isAtLineEnd(in: text) {
                let end = fields.fieldEnd(in: text)
                if let field = fields.assignment(in: text),
                    let path = Self.paths[field.name]
                {
                    amounts[keyPath: path] = field.value
                }
                fields.move(to: end)
            }
            byDevice[device] = amounts
            fields.skipLine(in: text)
        }
    }

    private static var paths: [String: WritableKeyPath<Amounts, UInt64?>] {
        [
            "rbps": \.readBytes, "wbps": \.writeBytes, "riops": \.reads, "wiops": \.writes,
            "rbytes": \.readBytes, "wbytes": \.writeBytes, "rios": \.reads, "wios": \.writes,
        ]
    }

    /// The kinds of amounts.
    public enum Kind: Sendable { case bytes, requests }

    /// Adds what a file of version 1 says of limits of one direction: lines `8:0 1048576`.
    public mutating func addLimits(_ kind: Kind, areReads: Bool, _ text: Span<UInt8>) {
        var fields = FieldScanner(file: "blkio.throttle")
        while let device = Self.device(&fields, in: text) {
            if let value = try? fields.number("limit", in: text) {
                add(kind, areReads: areReads, value, of: device)
            }
            fields.skipLine(in: text)
        }
    }

    /// Adds what blkio.throttle.io_service_bytes or io_serviced of version 1 says: lines `8:0 Read
    /// 4096`, with more words than Read and Write.
    public mutating func addCounters(_ kind: Kind, _ text: Span<UInt8>) {
        var fields = FieldScanner(file: "blkio.throttle")
        while let device = Self.device(&fields, in: text) {
            if let word = try? fields.word("operation", in: text),
                word == "Read" || word == "Write",
                let value = try? fields.number("count", in: text)
            {
                add(kind, areReads: word == "Read", value, of: device)
            }
            fields.skipLine(in: text)
        }
    }

    private mutating func add(_ kind: Kind, areReads: Bool, _ value: UInt64, of device: String) {
        let path: WritableKeyPath<Amounts, UInt64?> =
            switch (kind, areReads) {
            case (.bytes, true): \.readBytes
            case (.bytes, false): \.writeBytes
            case (.requests, true): \.reads
            case (.requests, false): \.writes
            }
        byDevice[device, default: Amounts()][keyPath: path] = value
    }

    /// The device at the begin of the next line that has one.
    private static func device(_ fields: inout FieldScanner, in text: Span<UInt8>) -> String? {
        while fields.lineEnd(in: text) < text.count {
            if let word = try? fields.word("device", in: text) {
                let numbers = word.split(separator: ":", omittingEmptySubsequences: false)
                if numbers.count == 2, numbers.allSatisfy({ UInt32($0) != nil }) { return word }
            }
            fields.skipLine(in: text)
        }
        return nil
    }
}
