import Foundation
import Recording
import Telemetry

/// How fast a recording of many requests is reported on, beside what reads block traces.
enum ReportSpeed {
    static func run(_ options: Options, _ report: inout Report) throws {
        guard let program = findProgram(options.program) else {
            report.add(.skipped("report-speed", "\(options.program) is missing"))
            return
        }
        let folder = try RecordingFolder(options)
        let counts = options.isQuick ? [2_000_000] : [10_000_000, 100_000_000]
        for count in counts {
            let path = folder.file("requests.vbt")
            defer { folder.remove("requests.vbt") }
            try write(count, to: path)
            let name = "report on \(count / 1_000_000) M requests"
            var (rates, memory, seconds) = (Readings(), Readings(), Readings())
            for _ in 0..<(options.isQuick || count > 10_000_000 ? 1 : 3) {
                guard let effort = ChildProgram.run([program, "report", path]) else { continue }
                rates.add(Double(count) / effort.cpuSeconds)
                memory.add(effort.peakMegabytes)
                seconds.add(effort.seconds)
            }
            report.add(
                Figure(
                    name, rates.median, "/s", spread: rates, bar: .atLeast(5_000_000),
                    note: "per second of CPU, of which it uses one; "
                        + "\(number(seconds.median)) s from start to end, "
                        + "\(number(Double(fileSize(path)) / 1e6)) MB"))
            report.add(
                Figure("\(name), memory", memory.median, "MB", spread: memory, bar: .atMost(256)))
        }
        try peers(program, folder, options.isQuick ? 200_000 : 1_000_000, &report)
    }

    /// A recording of `count` requests: a million made up, again and again at later times.
    private static func write(_ count: Int, to path: String) throws {
        let block = SimulatedLoad.requests(min(count, 1_000_000))
        let start = block.first?.start ?? 0
        let length = (block.last?.reaped ?? 0) - start
        var policy = SegmentPolicy()
        (policy.segmentByteCount, policy.segmentDuration) = (64 << 30, nil)
        let clocks = ClockReading(monotonic: start, wall: 1_767_323_045_000_000_000)
        var composer = try RecordingComposer(
            path: path, info: RecordingInfo(uuid: UUID().uuidString, started: clocks),
            start: start, origin: 1_767_323_040_000_000_000, policy: policy)
        let names = (0..<56).map { "vd\($0)" }
        for round in 0..<(count / block.count) {
            let shift = UInt64(round) * length
            for piece in stride(from: 0, to: block.count, by: 10_000) {
                let events = block[piece..<min(piece + 10_000, block.count)].map {
                    $0.moved(by: shift)
                }
                try composer.take(events, names: names)
            }
        }
        try composer.finish()
    }

    /// The same requests in the formats of other tools.
    private static func peers(
        _ program: String, _ folder: RecordingFolder, _ count: Int, _ report: inout Report
    ) throws {
        let (source, trace) = (folder.file("peers.vbt"), folder.file("trace"))
        try write(count, to: source)
        let ours = ChildProgram.run([program, "report", source])
        let oursRate = ours.map { Double(count) / $0.cpuSeconds }
        func add(_ name: String, _ effort: ChildProgram.Effort?) {
            guard let effort else {
                report.add(.skipped("peer: \(name)", "it failed"))
                return
            }
            report.add(
                Figure(
                    "peer: \(name), \(number(Double(count))) requests",
                    Double(count) / effort.cpuSeconds, "/s", peer: "vblktop report",
                    peerValue: oursRate, note: "\(number(effort.peakMegabytes)) MB"))
        }
        if let blkparse = findProgram("blkparse"), let btt = findProgram("btt") {
            let exported = ChildProgram.run([
                program, "export", source, "--format", "blktrace", "-o", trace + ".blktrace.0",
            ])
            if exported != nil {
                add("blkparse to text", ChildProgram.run([blkparse, "-i", trace]))
                let binary = folder.file("trace.bin")
                add(
                    "blkparse to btt's file",
                    ChildProgram.run([blkparse, "-i", trace, "-O", "-d", binary]))
                // btt leaves files of each device where it stands.
                let command = "cd '\(folder.path)' && exec '\(btt)' -i '\(binary)' -o btt"
                add("btt", ChildProgram.run(["/bin/sh", "-c", command]))
            } else {
                report.add(.failed("export to blktrace", "it failed"))
            }
        } else {
            report.add(.skipped("peer: blkparse, btt", "not installed"))
        }
        guard let babeltrace = findProgram("babeltrace2") else {
            report.add(.skipped("peer: babeltrace2", "not installed"))
            return
        }
        let ctf = folder.file("ctf")
        let exported = ChildProgram.run([program, "export", source, "--format", "ctf", "-o", ctf])
        add("babeltrace2 to text", exported.flatMap { _ in ChildProgram.run([babeltrace, ctf]) })
    }
}
