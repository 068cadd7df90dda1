import Foundation

/// A line of `vblktop --json`, as far as it is measured (docs/json.md).
struct WatchedSample: Decodable {
    struct LUN: Decodable {
        let id: String
        let hostDisk: String?
        let iops: Double?
        let readsPerS: Double?
        let readBytesPerS: Double?
        let writeBytesPerS: Double?
    }
    struct Thread: Decodable {
        let tid: Int
        let name: String
        let voluntarySwitchesPerS: Double?
        let involuntarySwitchesPerS: Double?
    }
    struct Disk: Decodable {
        let name: String
        let readsPerS: Double?
        let writesPerS: Double?
        let readBytesPerS: Double?
        let writeBytesPerS: Double?
    }
    struct Host: Decodable { let disks: [Disk] }
    struct Source: Decodable {
        let name: String
        let state: String
        let ageUs: Double?
    }
    struct Cost: Decodable { let skewUs: Double? }

    let monotonicNs: Double
    let intervalS: Double?
    let luns: [LUN]
    let threads: [Thread]
    let host: Host
    let sources: [Source]
    let ownCost: Cost

    /// The samples in what vblktop wrote; a line cut off at the end does not count.
    static func all(in output: String) throws -> [WatchedSample] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let end = output.lastIndex(of: "\n") ?? output.startIndex
        return try output[..<end].split(separator: "\n").map {
            try decoder.decode(WatchedSample.self, from: Data($0.utf8))
        }
    }

    /// Seconds at which QEMU's counters were read, on the monotonic clock. A sample taken while
    /// QMP is asked less often repeats what was read before.
    var countedAt: Double? {
        guard let age = sources.first(where: { $0.name == "qmp" })?.ageUs else { return nil }
        return (monotonicNs + ((ownCost.skewUs ?? 0) - age) * 1000) / 1e9
    }
}

/// Rates turned back into what was counted: each times the seconds between its two readings.
struct Recount {
    private(set) var requests: [String: Double] = [:]
    private(set) var readBytes: [String: Double] = [:]
    private(set) var writtenBytes: [String: Double] = [:]

    init(_ samples: [WatchedSample]) {
        var last: Double?
        for sample in samples {
            guard let time = sample.countedAt else { continue }
            // Two stamps of one reading differ by what was rounded.
            if let last, time - last < 0.05 { continue }
            if let last {
                for lun in sample.luns {
                    requests[lun.id, default: 0] += (lun.iops ?? 0) * (time - last)
                    readBytes[lun.id, default: 0] += (lun.readBytesPerS ?? 0) * (time - last)
                    writtenBytes[lun.id, default: 0] += (lun.writeBytesPerS ?? 0) * (time - last)
                }
            }
            last = time
        }
    }
}

extension [WatchedSample] {
    /// The mean of a rate over all samples that have one, each as long as its interval.
    func mean(_ rate: (WatchedSample) -> Double?) -> Double {
        var (sum, seconds) = (0.0, 0.0)
        for sample in self {
            guard let interval = sample.intervalS, let value = rate(sample) else { continue }
            sum += value * interval
            seconds += interval
        }
        return seconds > 0 ? sum / seconds : .nan
    }
}
