internal import ProcFS
internal import Telemetry

/// The interrupts of a guest's virtio disks between the last two readings of its /proc/interrupts.
struct GuestInterrupts: Sendable {
    /// Per second, all CPUs.
    private(set) var rate: Double?
    /// Of them the busiest CPU's, percent; `nil` too where there were none.
    private(set) var busiestShare: Double?
    /// Why there is no rate.
    private(set) var problem: String? = "read once only"

    private struct Reading {
        let at: Nanoseconds
        let cpus: [Int]
        /// Lines of virtio disks.
        let names: [String]
        /// Sums of these lines, a CPU each.
        let counts: [UInt64]
    }
    private var last: Reading?

    mutating func forget(because reason: String) {
        last = nil
        rate = nil
        busiestShare = nil
        problem = reason
    }

    mutating func take(_ text: [UInt8], at now: Nanoseconds) {
        var table = EventTable(file: "interrupts")
        do throws(ProcFSError) { try table.read(text.span) } catch {
            return forget(because: error.description)
        }
        let lines = (0..<table.lineCount).filter { isOfVirtioDisk(table.detail($0)) }
        guard !lines.isEmpty else {
            return forget(because: "no interrupt there is a virtio disk's alone")
        }
        let width = table.cpus.count
        let counts = (0..<width).map { cpu in
            lines.reduce(UInt64(0)) { $0 &+ table.counts[$1 * width + cpu] }
        }
        let reading = Reading(
            at: now, cpus: table.cpus, names: lines.map(table.detail), counts: counts)
        let before = last
        forget(because: "read once only since CPUs or disks changed")
        last = reading
        guard let before, before.cpus == reading.cpus, before.names == reading.names,
            let interval = RateInterval(from: before.at, to: now)
        else { return }
        let rates = zip(before.counts, reading.counts).compactMap { interval.rate($0, $1) }
        guard rates.count == width else { return }
        let sum = rates.reduce(0, +)
        problem = nil
        rate = sum.roundedToThousandths
        if sum > 0 { busiestShare = ((rates.max() ?? 0) / sum * 100).roundedToThousandths }
    }
}

/// Whether an interrupt's name ends with `virtio1-req.0` or the like: `-req` are the queues of
/// virtio-blk and virtio-scsi, whatever follows; other devices call theirs otherwise.
private func isOfVirtioDisk(_ detail: String) -> Bool {
    guard let name = detail.split(separator: " ").last, name.hasPrefix("virtio") else {
        return false
    }
    return name.dropFirst(6).drop { $0.isWholeNumber }.hasPrefix("-req")
}

/// The requests of a guest's disks between the last two readings.
struct GuestRequests: Sendable {
    /// Per second, of the disks that were there both times.
    private(set) var rates: [GuestDevice: Double] = [:]
    /// Why there are none.
    private(set) var problem: String? = "read once only"
    /// Where they were read.
    private(set) var source = GuestFile.diskStats.path
    private var last: (at: Nanoseconds, counts: [GuestDevice: UInt64])?

    mutating func forget(because reason: String) {
        last = nil
        rates = [:]
        problem = reason
    }

    mutating func take(
        _ counts: [GuestDevice: UInt64], from source: String, at now: Nanoseconds
    ) {
        let before = self.source == source ? last : nil
        self.source = source
        rates = [:]
        problem = "read once only"
        last = (now, counts)
        guard let before, let interval = RateInterval(from: before.at, to: now) else { return }
        for (device, count) in counts {
            guard let old = before.counts[device] else { continue }
            rates[device] = interval.rate(old, count)?.roundedToThousandths
        }
    }
}
