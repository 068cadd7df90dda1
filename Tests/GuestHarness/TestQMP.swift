/// A QMP client for the tests alone: it blocks, and it commands. vblktop has its own, which shares
/// no line with this one, so that one checks the other.
public final class TestQMP {
    private let channel: LineChannel
    private var events: [JSONValue] = []
    private let patience: Duration

    /// Connects and negotiates. A monitor serves one client at a time: a second one waits here.
    public init(path: String, patience: Duration = .seconds(60)) throws {
        channel = try LineChannel(connectingTo: path)
        self.patience = patience
        let greeting = try message(before: .now + patience, of: "greeting")
        guard greeting["QMP"] != nil else {
            throw HarnessError("\(path): no greeting of QMP, but \(greeting)")
        }
        try execute("qmp_capabilities")
    }

    /// What a command returns; throws what QEMU says against it.
    @discardableResult
    public func execute(_ command: String, _ arguments: JSONValue? = nil) throws -> JSONValue {
        var request: [String: JSONValue] = ["execute": .text(command)]
        request["arguments"] = arguments
        try channel.send(try JSONValue.object(request).line)
        let deadline = ContinuousClock.now + patience
        while true {
            let message = try message(before: deadline, of: command)
            if let result = message["return"] { return result }
            if let error = message["error"] {
                throw HarnessError("QMP \(command): \(error["desc"]?.text ?? "\(error)")")
            }
            events.append(message)
        }
    }

    /// The data of the next event of this name that is as wanted, of those that came and those to
    /// come. Others are kept.
    @discardableResult
    public func event(
        _ name: String, where isSo: (JSONValue) -> Bool = { _ in true }
    ) throws -> JSONValue {
        let deadline = ContinuousClock.now + patience
        while true {
            let index = events.firstIndex {
                $0["event"]?.text == name && isSo($0["data"] ?? .null)
            }
            if let index { return events.remove(at: index)["data"] ?? .null }
            events.append(try message(before: deadline, of: name))
        }
    }

    /// The next message, while `what` is waited for.
    private func message(
        before deadline: ContinuousClock.Instant, of what: String
    ) throws -> JSONValue {
        do {
            return try JSONValue.parse(try channel.line(before: deadline))
        } catch {
            throw HarnessError("\(what): \(error)")
        }
    }
}

/// Counters since the VM started, by `query-blockstats`.
public struct BlockStatistics: Sendable, Equatable {
    public var reads: Int
    public var writes: Int
    public var flushes: Int
    public var readBytes: Int
    public var writtenBytes: Int
    /// Reads that QEMU put together with others before it asked the host for them.
    public var mergedReads: Int
}

extension TestQMP {
    /// Counters of every disk, by the id of its device.
    public func blockStatistics() throws -> [String: BlockStatistics] {
        var statistics: [String: BlockStatistics] = [:]
        for entry in try execute("query-blockstats").list {
            guard let path = entry["qdev"]?.text, let counters = entry["stats"] else { continue }
            func counter(_ name: String) throws -> Int {
                guard let value = counters[name]?.integer else {
                    throw HarnessError("query-blockstats of \(path): no \(name)")
                }
                return value
            }
            statistics[Self.deviceID(path)] = BlockStatistics(
                reads: try counter("rd_operations"), writes: try counter("wr_operations"),
                flushes: try counter("flush_operations"), readBytes: try counter("rd_bytes"),
                writtenBytes: try counter("wr_bytes"), mergedReads: try counter("rd_merged"))
        }
        return statistics
    }

    /// `disk0` of `/machine/peripheral/disk0/virtio-backend`.
    static func deviceID(_ path: String) -> String {
        let parts = path.split(separator: "/")
        return String(parts.count > 2 && parts[1] == "peripheral" ? parts[2] : path[...])
    }
}
