import CBench
import Foundation
import Recording
import Telemetry

/// What is left of a recording whose writer was killed, that was cut, or in which a bit flipped.
enum RecordCrash {
    /// Seconds between samples: short, so that what a kill costs is not hidden by the wait for the
    /// next sample.
    private static let interval = 0.1

    static func run(_ options: Options, _ report: inout Report) throws {
        guard let program = findProgram(options.program) else {
            report.add(.skipped("record-crash", "\(options.program) is missing"))
            return
        }
        let folder = try RecordingFolder(options)
        var random = SeededRandom(state: 20)
        let rounds = options.isQuick ? 10 : 100
        kills(program, folder, rounds, &random, &report)
        guard let bytes = recording(program, folder), !bytes.isEmpty else {
            report.add(.failed("record-crash", "nothing was recorded"))
            return
        }
        try cuts(bytes, folder, rounds, &random, &report)
        try flips(bytes, folder, rounds, &random, &report)
        perf(folder, min(rounds, 10), &random, &report)
    }

    private static func command(_ program: String, _ path: String) -> [String] {
        [
            program, "record", "--demo", "--luns", "8", "--events", "-d", "\(interval)", "-o", path,
        ]
    }

    private static func kills(
        _ program: String, _ folder: RecordingFolder, _ rounds: Int,
        _ random: inout SeededRandom, _ report: inout Report
    ) {
        var (samples, requests, opened, why) = (Readings(), Readings(), 0, [String]())
        for _ in 0..<rounds {
            let path = folder.file("killed.vbt")
            folder.remove("killed.vbt")
            guard let child = ChildProgram(command(program, path)) else { continue }
            // Nothing can be asked of a recording before it has begun.
            for _ in 0..<5000 where folder.bytes("killed.vbt") == 0 { usleep(1000) }
            usleep(UInt32(500_000 + random.next() % 2_000_000))
            let end = cb_now()
            child.kill()
            do {
                let session = try RecordedSession(paths: [path])
                guard let last = try lastSample(of: session) else {
                    why.append("no sample")
                    continue
                }
                opened += 1
                samples.add(Double(end &- min(end, last)) / 1e9)
                let request = session.library.entries.last { $0.place.kind == .requests }
                if let request { requests.add(Double(end &- min(end, request.last)) / 1e9) }
            } catch {
                why.append("\(error)")
            }
        }
        report.add(
            Figure(
                "killed \(rounds) times, those that open", Double(opened), "",
                bar: .atLeast(Double(rounds)), note: why.isEmpty ? nil : why[0]))
        report.add(
            Figure(
                "… from the last sample to the kill, worst", samples.maximum, "s",
                spread: samples, bar: .atMost(1),
                note: "median \(number(samples.median)) s, a sample every \(interval) s"))
        report.add(
            Figure(
                "… from the last request to the kill, worst", requests.maximum, "s",
                spread: requests, note: "median \(number(requests.median)) s"))
    }

    private static func lastSample(of session: RecordedSession) throws -> Nanoseconds? {
        for index in (0..<session.sampleCount).reversed() {
            if let sample = try session.sample(index) { return sample.monotonic }
        }
        return nil
    }

    private static func recording(_ program: String, _ folder: RecordingFolder) -> [UInt8]? {
        let path = folder.file("whole.vbt")
        let effort = ChildProgram.run(command(program, path) + ["--duration", "8"])
        return effort.flatMap { _ in FileManager.default.contents(atPath: path) }.map { Array($0) }
    }

    /// Chunks of a file that can be read, to the last byte of their payloads.
    private static func readable(_ path: String) throws -> Set<UInt64> {
        let library = try RecordedSession(paths: [path]).library
        var sequences: Set<UInt64> = []
        for entry in library.entries where (try? library.chunk(of: entry)) != nil {
            sequences.insert(entry.place.sequence)
        }
        return sequences
    }

    private static func cuts(
        _ bytes: [UInt8], _ folder: RecordingFolder, _ rounds: Int,
        _ random: inout SeededRandom, _ report: inout Report
    ) throws {
        let path = folder.file("cut.vbt")
        let whole = try places(bytes, path)
        var (lost, opened, bare) = (Readings(), 0, 0)
        for _ in 0..<rounds {
            let length = Int(random.next() % UInt64(bytes.count))
            try Data(bytes[..<length]).write(to: URL(fileURLWithPath: path))
            // Begun before the cut: one of them, the torn one, may be lost.
            let begun = whole.filter { $0.offset < UInt64(length) }
            if begun.count < 2 { bare += 1 }
            guard let found = try? readable(path) else { continue }
            opened += 1
            lost.add(Double(begun.count { !found.contains($0.sequence) }))
        }
        report.add(
            Figure(
                "cut at a random byte \(rounds) times, those that open", Double(opened), "",
                bar: .atLeast(Double(rounds - bare)),
                note: "\(number(Double(bytes.count) / 1e6)) MB, \(whole.count) chunks; "
                    + "\(bare) cut within the first chunk"))
        report.add(
            Figure("… chunks lost, worst", lost.maximum, "", spread: lost, bar: .atMost(1)))
    }

    private static func flips(
        _ bytes: [UInt8], _ folder: RecordingFolder, _ rounds: Int,
        _ random: inout SeededRandom, _ report: inout Report
    ) throws {
        let path = folder.file("flipped.vbt")
        let whole = try places(bytes, path)
        var (lost, opened) = (Readings(), 0)
        for _ in 0..<rounds {
            var flipped = bytes
            flipped[Int(random.next() % UInt64(bytes.count))] ^= 1 << (random.next() % 8)
            try Data(flipped).write(to: URL(fileURLWithPath: path))
            guard let found = try? readable(path) else { continue }
            opened += 1
            lost.add(Double(whole.count { !found.contains($0.sequence) }))
        }
        report.add(
            Figure(
                "a random bit flipped \(rounds) times, those that open", Double(opened), "",
                bar: .atLeast(Double(rounds))))
        report.add(
            Figure("… chunks lost, worst", lost.maximum, "", spread: lost, bar: .atMost(1)))
    }

    private static func places(
        _ bytes: [UInt8], _ path: String
    ) throws -> [(offset: UInt64, sequence: UInt64)] {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let library = try RecordedSession(paths: [path]).library
        return library.entries.map { ($0.place.offset, $0.place.sequence) }
    }

    /// How many files of a killed `perf record` say anything.
    private static func perf(
        _ folder: RecordingFolder, _ rounds: Int, _ random: inout SeededRandom,
        _ report: inout Report
    ) {
        guard let perf = findProgram("perf") else {
            report.add(.skipped("peer: perf record", "not installed"))
            return
        }
        var (ran, opened) = (0, 0)
        for _ in 0..<rounds {
            let path = folder.file("perf.data")
            folder.remove("perf.data")
            guard
                let child = ChildProgram([
                    perf, "record", "-e", "cpu-clock", "-F", "1000", "-a", "-o", path,
                ])
            else { continue }
            for _ in 0..<5000 where fileSize(path) == 0 { usleep(1000) }
            usleep(UInt32(1_000_000 + random.next() % 1_000_000))
            child.kill()
            if fileSize(path) == 0 { continue }
            ran += 1
            let text = folder.file("perf.txt")
            let isRead = ChildProgram.run([perf, "script", "-i", path], output: text) != nil
            if isRead && fileSize(text) > 0 { opened += 1 }
        }
        guard ran > 0 else {
            report.add(.skipped("peer: perf record", "it records nothing here"))
            return
        }
        report.add(
            Figure(
                "peer: perf record killed \(ran) times, those perf script reads",
                Double(opened), ""))
    }
}

/// SplitMix64.
private struct SeededRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
