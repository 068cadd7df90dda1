/// The guest's own counters of one disk since it booted: a line of its /proc/diskstats.
public struct DiskStatistics: Sendable, Equatable {
    /// Requests completed.
    public var reads: Int
    public var readsMerged: Int
    /// Of 512 bytes.
    public var sectorsRead: Int
    public var writes: Int
    public var writesMerged: Int
    public var sectorsWritten: Int
    /// Requests issued and not completed.
    public var inFlight: Int
    public var flushes: Int
    /// Sum of the times that the requests took, milliseconds.
    public var weightedTime: Int
    /// When it was read, seconds since the guest's kernel started.
    public var readAt: Double

    /// What was counted from `earlier` on; `inFlight` is as it is now.
    public func since(_ earlier: DiskStatistics) -> DiskStatistics {
        var difference = self
        difference.reads -= earlier.reads
        difference.readsMerged -= earlier.readsMerged
        difference.sectorsRead -= earlier.sectorsRead
        difference.writes -= earlier.writes
        difference.writesMerged -= earlier.writesMerged
        difference.sectorsWritten -= earlier.sectorsWritten
        difference.flushes -= earlier.flushes
        difference.weightedTime -= earlier.weightedTime
        difference.readAt -= earlier.readAt
        return difference
    }
}

extension TestGuest {
    /// The kernel's names of the disks, by serial number.
    public func diskNames() throws -> [String: String] {
        let rows = try run("disks").split(separator: "\n").map { $0.split(separator: " ") }
        return Dictionary(
            try rows.map { row in
                guard row.count == 3 else { throw HarnessError("disks: not understood: \(row)") }
                return (String(row[0]), String(row[1]))
            }, uniquingKeysWith: { $1 })
    }

    /// The guest's counters of every disk, by serial number.
    public func diskStatistics() throws -> [String: DiskStatistics] {
        let names = try diskNames()
        var rows: [String: [Int]] = [:]
        let lines = try run("cat /proc/uptime /proc/diskstats").split(separator: "\n")
        let uptime = lines.first?.split(separator: " ").first.flatMap { Double($0) } ?? 0
        for line in lines {
            let words = line.split(separator: " ")
            if words.count > 2 {
                rows[String(words[2])] = words.dropFirst(3).compactMap { Int($0) }
            }
        }
        return try names.mapValues { name in
            guard let row = rows[name], row.count >= 16 else {
                throw HarnessError("/proc/diskstats of the guest has no \(name)")
            }
            return DiskStatistics(
                reads: row[0], readsMerged: row[1], sectorsRead: row[2], writes: row[4],
                writesMerged: row[5], sectorsWritten: row[6], inFlight: row[8], flushes: row[15],
                weightedTime: row[10], readAt: uptime)
        }
    }

    /// Runs a load to its end: what fio says it did, by serial number.
    public func fio(_ load: FioLoad) throws -> [String: FioResult] {
        try FioResult.parse(try run(load.command))
    }

    /// Starts a load under a name not used before in this boot.
    public func start(_ name: String, _ load: FioLoad) throws {
        try run("start \(name) \(load.command)")
    }

    /// Waits for the end of a load that was started.
    public func collect(_ name: String) throws -> [String: FioResult] {
        try FioResult.parse(try run("collect \(name)"))
    }

    /// Plugs a virtio disk into the running machine and waits until the guest has it. Its backend
    /// must be null.
    public func plug(_ disk: GuestDisk) throws {
        try qmp.execute(
            "blockdev-add",
            [
                "driver": "null-co", "node-name": .text(disk.node),
                "size": .integer(Int64(disk.bytes)), "read-zeroes": true,
            ])
        var device: [String: JSONValue] = [
            "driver": "virtio-blk-pci", "id": .text(disk.id), "drive": .text(disk.node),
            "serial": .text(disk.id),
        ]
        device["iothread"] = disk.iothread.map { .text($0) }
        try qmp.execute("device_add", .object(device))
        try run("wait_disk \(disk.id)")
    }

    /// Unplugs a virtio disk that has a slot of its own and waits until the guest let it go.
    public func unplug(_ id: String) throws {
        try qmp.execute("device_del", ["id": .text(id)])
        try qmp.event("DEVICE_DELETED") { $0["device"]?.text == id }
        try qmp.execute("blockdev-del", ["node-name": .text("\(id)-node")])
    }
}
