import Foundation
import Telemetry
import Testing

@testable import Recording

/// Recordings that earlier versions made, kept for ever: every reader reads them all.
///
/// A recording is NAME.vbt and its further segments; NAME.json is what is in it, of which nothing
/// may get lost. With `VBLKTOP_RECORD_CORPUS=NAME` in the environment this version adds one.
@Suite struct CorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../Corpus").standardized

    private static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }()

    @Test func thereIsACorpus() throws {
        if let name = ProcessInfo.processInfo.environment["VBLKTOP_RECORD_CORPUS"] {
            try Self.make(name)
        }
        #expect(!Self.names.isEmpty)
    }

    @Test(arguments: names)
    func everyRecordingEverMadeIsReadWhole(name: String) throws {
        let expected = try JSONSerialization.jsonObject(
            with: Data(contentsOf: Self.folder.appendingPathComponent(name + ".json")))
        let session = try RecordedSession(paths: try Self.paths(name))
        let found = try JSONSerialization.jsonObject(with: try Self.content(of: session))
        #expect(session.damage == [])
        #expect(session.isClosed)
        #expect(session.library.readers.count == 2)
        #expect(Self.firstLost(of: expected, in: found, at: name) == nil)
    }

    private static func paths(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix(name + ".") && $0.hasSuffix(".vbt") }.sorted()
            .map { folder.path + "/" + $0 }
    }

    /// Where something of `expected` is missing in `found`, or another there; `found` may hold
    /// more.
    private static func firstLost(of expected: Any, in found: Any?, at place: String) -> String? {
        if let members = expected as? [String: Any] {
            guard let others = found as? [String: Any] else { return place }
            return members.sorted { $0.key < $1.key }.lazy.compactMap {
                firstLost(of: $0.value, in: others[$0.key], at: place + "." + $0.key)
            }.first
        }
        if let items = expected as? [Any] {
            guard let others = found as? [Any], others.count == items.count else { return place }
            return zip(items, others).enumerated().lazy.compactMap {
                firstLost(of: $1.0, in: $1.1, at: "\(place)[\($0)]")
            }.first
        }
        return (expected as? NSObject) == (found as? NSObject) ? nil : place
    }

    // MARK: What is in a recording

    private struct Content: Encodable {
        struct TextMark: Encodable {
            var time: UInt64
            var kind: String
            var severity: String
            var scope: String?
            var text: String
        }
        var uuid: String?
        var comment: String?
        var samples: [Snapshot]
        var requests: [[String]]
        var events: [[String]]
        var marks: [TextMark]
        var lost: UInt64
    }

    private static func content(of session: RecordedSession) throws -> Data {
        var content = Content(
            uuid: session.info?.uuid, comment: session.info?.comment,
            samples: try session.samples(0..<session.sampleCount), requests: [], events: [],
            marks: [], lost: session.lostCount)
        content.requests = try session.requests().map { event, name in
            let numbers: [any BinaryInteger] = [
                event.type, event.status, event.queue, event.head, event.sector, event.byteCount,
                event.queued, event.kicked, event.popped, event.submitted, event.completed,
                event.published, event.notified, event.reaped,
            ]
            return [name] + numbers.map { String($0) }
        }
        try session.forEachEvents { events in
            content.events += events.map {
                ["\($0.monotonic)", $0.name, "\($0.tid)", "\($0.cpu)", "\($0.a)", "\($0.b)"]
            }
        }
        content.marks = try session.marks().map {
            Content.TextMark(
                time: $0.monotonic, kind: $0.kind.rawValue, severity: "\($0.severity)",
                scope: $0.scope, text: $0.text)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(content)
    }

    // MARK: Adding to the corpus

    /// Makes a recording with something of every kind in two segments, and what is in it.
    private static func make(_ name: String) throws {
        var info = someInfo("11111111-2222-3333-4444-555555555555")
        info.comment = "made to be read for ever"
        var policy = SegmentPolicy()
        policy.segmentDuration = 4 * second
        policy.bytesLeftFree = 0
        let path = folder.path + "/\(name).vbt"
        var output = try RecordingOutput(path, info, policy, clocks(second))
        var encoders = try StreamEncoders()
        var kernel = try EventEncoder()
        for (index, sample) in samples().enumerated() {
            let now = sample.monotonic
            var chunks = try encoders.encode(sample)
            chunks += try encoders.encode(
                someRequests(6, second: UInt64(index + 1)), names: ["ledger", "wages"])
            encoders.lose(index == 2 ? 5 : 0)
            if let chunk = try encoders.sealRequests() { chunks.append(chunk) }
            for number: UInt64 in 0..<4 {
                kernel.append(
                    KernelEvent(
                        monotonic: now + number, name: "kvm:kvm_exit", tid: 7, cpu: 1, a: number,
                        b: now))
            }
            if let chunk = try kernel.seal() { chunks.append(chunk) }
            let kind = Mark.Kind.allCases[index % Mark.Kind.allCases.count]
            chunks.append(
                try encoders.encode(
                    Mark(
                        monotonic: now, kind: kind, severity: .warning,
                        scope: index == 0 ? nil : "lun:vd0", text: "mark \(index)")))
            for chunk in chunks { try output.append(chunk, at: clocks(now)) }
        }
        for chunk in encoders.flushSnapshots() { try output.append(chunk, at: clocks(8 * second)) }
        try output.close(clocks(8 * second))
        let session = try RecordedSession(paths: try paths(name))
        try content(of: session).write(to: folder.appendingPathComponent(name + ".json"))
    }

    private static func samples() -> [Snapshot] {
        var samples = Steady(lunCount: 3).samples(7)
        for index in samples.indices where index >= 2 {
            samples[index].findings = [
                Finding(
                    rule: "shared", severity: .critical, scope: "lun:vd0", title: "busy",
                    evidence: "91 %", fix: "give it a thread of its own")
            ]
            samples[index].unavailable = [
                Unavailable(metric: "locks", reason: "not permitted", remedy: "run as root")
            ]
        }
        // Of one the virtqueues were looked at from outside; of another it is not told where its
        // requests' time goes.
        for index in samples.indices where index >= 4 {
            samples[index].luns[1].rates.latencyUncertainty = 4000
            samples[index].luns[0].rates.stages = nil
            samples[index].total = BlockRates(summing: samples[index].luns)
        }
        samples[3].notices = [
            Notice(
                monotonic: samples[3].monotonic, vm: "guest", severity: .warning, text: "paused")
        ]
        return samples
    }
}
