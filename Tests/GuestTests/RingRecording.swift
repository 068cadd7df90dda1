import Foundation
import Glibc
import GuestHarness

/// `vblktop record --events` of one VM, and what is in its file.
final class RingRecording {
    /// A request as it was recorded.
    struct Request {
        var lun: String
        var queue: Int
        /// virtio-blk request type; -1: it ended before it could be seen what it was.
        var type: Int
        var sector: Int
        var bytes: Int
        /// Microseconds.
        var latency: Double
    }

    private let recorder: RunningProgram
    private let folder: String
    private var path: String { folder + "/a.vbt" }

    /// Starts recording and waits until the virtqueues of all of `luns` are read.
    init(of guest: TestGuest, luns: [String], _ options: String...) throws {
        folder = NSTemporaryDirectory() + "vblktop-rings-\(UUID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        recorder = try RunningProgram(
            [
                BuiltProgram.path, "record", "--qmp", guest.monitorPath(), "--events",
                "--kernel-events", "0", "-o", folder + "/a.vbt", "--ring-budget", "100",
            ] + options)
        try wait(for: "virtqueues of \(luns)") { sample in
            luns.allSatisfy { sample.lun($0)?["queue_depth"]?["p50"]?.number != nil }
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The samples so far.
    func samples() throws -> [JSONValue] {
        try RunningProgram([BuiltProgram.path, "replay", path, "--json"]).ending().lines
            .map { try JSONValue.parse($0) }
    }

    /// Waits for a sample that is as wanted, after those there are.
    func wait(for what: String, _ isSo: (JSONValue) -> Bool) throws {
        var seen = 0
        for _ in 0..<1000 {
            let samples = try samples()
            if samples.dropFirst(seen).contains(where: isSo) { return }
            seen = samples.count
            guard seen < 120 else { break }
            _ = poll(nil, 0, 100)
        }
        throw HarnessError("no \(what) in \(seen) samples; the last: \(try samples().last ?? "")")
    }

    /// Waits until a whole sample has passed in which nothing was done.
    func rest() throws {
        let count = try samples().count
        for _ in 0..<1000 {
            let samples = try samples().dropFirst(count + 1)
            if samples.contains(where: { $0["total"]?["iops"]?.number == 0 }) { return }
            _ = poll(nil, 0, 100)
        }
        throw HarnessError("the disks do not rest")
    }

    /// Ends it.
    func finish() throws -> (samples: [JSONValue], requests: [Request]) {
        recorder.signal(SIGTERM)
        let ending = try recorder.ending()
        guard ending.status == 143 else { throw HarnessError("record: \(ending)") }
        let query = "SELECT lun, queue, type, sector, bytes, latency_us FROM requests"
        let rows = try RunningProgram([BuiltProgram.path, "query", path, query, "--json"]).ending()
        guard rows.status == 0 else { throw HarnessError("query: \(rows.errors)") }
        let requests = try rows.lines.map { line in
            let row = try JSONValue.parse(line)
            let type = row["type"]?.integer ?? -1
            return Request(
                lun: row["lun"]?.text ?? "", queue: row["queue"]?.integer ?? -1,
                type: type == 0xFFFF_FFFF ? -1 : type, sector: row["sector"]?.integer ?? -1,
                bytes: row["bytes"]?.integer ?? -1, latency: row["latency_us"]?.number ?? -1)
        }
        return (try samples(), requests)
    }
}

/// What became of the requests that ended, as the source `rings` tells it.
struct RingCounts {
    var ended = 0
    var followed = 0
    var slipped = 0

    /// Sum over `samples`.
    init(_ samples: some Sequence<JSONValue>) {
        for sample in samples {
            guard let text = sample.source("rings")?["detail"]?.text,
                let match = text.firstMatch(of: /(\d+) of (\d+) requests followed/)
            else { continue }
            followed += Int(match.1) ?? 0
            ended += Int(match.2) ?? 0
            if let match = text.firstMatch(of: /(\d+) slipped through/) {
                slipped += Int(match.1) ?? 0
            }
        }
    }
}

extension JSONValue {
    /// Requests that ended on a LUN from this sample to `later`, by the index of each queue's used
    /// ring: fewer than 65,536 of each.
    func completions(of lun: String, until later: JSONValue) -> Int {
        let (old, new) = (self.lun(lun)?["virtqueues"], later.lun(lun)?["virtqueues"])
        return zip(old?.list ?? [], new?.list ?? []).reduce(0) { sum, queues in
            let (old, new) = (queues.0["used_index"]?.integer, queues.1["used_index"]?.integer)
            return sum + ((new ?? 0) - (old ?? 0)) & 0xFFFF
        }
    }

    /// What is under way on a LUN.
    func inFlight(of lun: String) -> [JSONValue] {
        self["in_flight"]?.list.filter { $0["lun"]?.text == lun } ?? []
    }
}

/// The value that `share` of `values` do not pass.
func percentile(_ share: Double, of values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return -1 }
    return sorted[
        min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
}
