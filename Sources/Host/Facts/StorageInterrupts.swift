internal import Kernel
internal import ProcFS
internal import Telemetry

/// The interrupts of the host's storage devices: on which CPUs they arrive, and how many there are
/// of each.
///
/// Those of the adapters of known disks are told by their numbers; beside these every one counts
/// whose line in /proc/interrupts names a driver of storage. Only sums are kept: all the counts of
/// a large host take megabytes.
struct StorageInterrupts: Sendable {
    static let path = "/proc/interrupts"
    private static let host = Subject(.host)
    /// Below this many a second it means nothing on which CPU they are.
    private static let least = 100.0

    private struct Reading: Sendable {
        var at: Nanoseconds
        /// What the lines are that were summed: sums of other lines cannot be compared.
        var lines: Set<String> = []
        var perCPU: [Int: UInt64] = [:]
        var perInterrupt: [Int: UInt64] = [:]
    }
    private var last: Reading?
    /// Interrupts a second on each CPU; `nil` without two readings.
    private var perCPU: [Int: Double]?
    /// Interrupts a second by number.
    private var perInterrupt: [Int: Double]?
    /// Why there are none.
    private var reason = secondReading

    /// Reads the counts; `adapters` are numbers of interrupts that are storage, whatever their
    /// lines say.
    mutating func read(_ reader: inout FactReader, adapters: Set<Int>, now: Nanoseconds) {
        let before = last
        (last, perCPU, perInterrupt) = (nil, nil, nil)
        let new: Reading
        do {
            var table = EventTable(file: "interrupts")
            try reader.value(Self.path) { text in try table.read(text) }
            new = Self.sums(table, adapters: adapters, at: now)
        } catch {
            reason = reader.reason(for: error)
            return
        }
        last = new
        reason = secondReading
        guard let before, before.lines == new.lines, before.perCPU.keys == new.perCPU.keys,
            let interval = RateInterval(from: before.at, to: now)
        else { return }
        perCPU = Self.rates(before.perCPU, new.perCPU, over: interval)
        perInterrupt = Self.rates(before.perInterrupt, new.perInterrupt, over: interval)
    }

    private static func sums(
        _ table: EventTable, adapters: Set<Int>, at now: Nanoseconds
    ) -> Reading {
        var sums = Reading(at: now)
        for cpu in table.cpus { sums.perCPU[cpu] = 0 }
        for line in 0..<table.lineCount {
            // The lines of words, as LOC, are no device's.
            guard let number = Int(table.name(line)) else { continue }
            let device = interruptDevice(in: table.detail(line)) ?? ""
            guard adapters.contains(number) || isStorage(device) else { continue }
            sums.lines.insert("\(number) \(device)")
            var whole: UInt64 = 0
            for (column, cpu) in table.cpus.enumerated() {
                let count = table.counts[line * table.cpus.count + column]
                sums.perCPU[cpu, default: 0] &+= count
                whole &+= count
            }
            sums.perInterrupt[number] = whole
        }
        return sums
    }

    private static func rates(
        _ old: [Int: UInt64], _ new: [Int: UInt64], over interval: RateInterval
    ) -> [Int: Double] {
        new.reduce(into: [:]) { rates, entry in
            rates[entry.key] = old[entry.key].flatMap { interval.rate($0, entry.value) }
        }
    }

    // MARK: Names

    /// How the names begin that drivers give the interrupts of disks and host bus adapters.
    private static let drivers = [
        "nvme", "ahci", "ata_", "sata_", "pata_", "megasas", "megaraid", "mpt2sas", "mpt3sas",
        "mpi3mr", "ioc", "hpsa", "smartpqi", "aacraid", "aac", "arcmsr", "isci", "mvsas", "pm80",
        "hisi_sas", "qla2xxx", "qla4xxx", "qedf", "qedi", "lpfc", "fnic", "bfa", "beiscsi",
        "virtscsi", "vmw_pvscsi", "blkif",
    ]

    /// Whether one of the devices of a line, `ehci_hcd:usb1, ahci`, is of storage. Of virtio disks
    /// only the request queues have names of their own: `virtio1-req.0`, of virtio-scsi
    /// `virtio1-request`; those of virtiofs are called `requests.0`.
    static func isStorage(_ devices: String) -> Bool {
        devices.split(separator: ",").contains { device in
            let name = device.trimmingPrefix { $0 == " " }
            if drivers.contains(where: name.hasPrefix) { return true }
            guard name.hasPrefix("virtio"), let dash = name.firstIndex(of: "-") else {
                return false
            }
            let queue = name[name.index(after: dash)...]
            return queue == "request" || queue.hasPrefix("req.")
        }
    }

    // MARK: Facts

    /// Interrupts a second of those numbered `numbers` together.
    func rate(of numbers: Set<Int>) -> Double? {
        guard let perInterrupt else { return nil }
        return numbers.reduce(0) { $0 + (perInterrupt[$1] ?? 0) }
    }

    /// Why there is no rate.
    var absence: String { reason }

    /// How many there are, and on which CPU most of them; `interruptShares` has the time that each
    /// CPU spends in interrupts, percent.
    func facts(interruptShares: [Int: Double]) -> [Fact] {
        let busiest: [FactName] = [
            .busiestInterruptShare, .busiestInterruptCPU, .busiestInterruptTime,
        ]
        guard let perCPU else {
            return ([.storageInterruptRate] + busiest).map {
                Fact(Self.host, $0, missing: reason, from: Self.path)
            }
        }
        let whole = perCPU.values.reduce(0, +)
        let rate = Fact(
            Self.host, .storageInterruptRate, .number(whole.roundedToTenths), from: Self.path)
        guard whole >= Self.least,
            let most = perCPU.max(by: { ($0.value, $1.key) < ($1.value, $0.key) })
        else {
            let few = "fewer than \(Int(Self.least)) storage interrupts a second"
            return [rate] + busiest.map { Fact(Self.host, $0, missing: few, from: Self.path) }
        }
        let share = most.value / whole * 100
        let time = interruptShares[most.key]
        let stat = "/proc/stat, cpu\(most.key)"
        return [
            rate,
            Fact(
                Self.host, .busiestInterruptShare, .number(share.roundedToTenths),
                from: Self.path),
            Fact(Self.host, .busiestInterruptCPU, .count(most.key), from: Self.path),
            time.map {
                Fact(Self.host, .busiestInterruptTime, .number($0.roundedToTenths), from: stat)
            } ?? Fact(Self.host, .busiestInterruptTime, missing: secondReading, from: stat),
        ]
    }
}
