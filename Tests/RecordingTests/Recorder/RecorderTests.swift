import Foundation
import Telemetry
import Testing

@testable import Recording

/// The recorder with its two threads, on real files.
@Suite struct RecorderTests {
    private func files(flight: String? = nil) -> RecordingFiles {
        var files = RecordingFiles(info: someInfo()) { clocks(50 * second) }
        files.info.sources = [.init(kind: "demo", name: "pay/roll")]
        files.policy.bytesLeftFree = 0
        files.flightDirectory = flight
        return files
    }

    private func settings() -> PipelineSettings {
        var settings = PipelineSettings()
        settings.watchesTrouble = false
        settings.recordsRequests = true
        return settings
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func allThatIsTakenIsInTheFile() throws {
        let folder = try Folder()
        let requests = someRequests(1000, second: 3)
        let feed = FakeFeed(requests, lost: 12)
        let recorder = try Recorder(settings(), files: files(), feed: feed)
        let path = folder.path + "/a.vbt"
        #expect(recorder.start(path: path) == nil)
        #expect(recorder.status.own?.path == path)
        for number: UInt64 in 1...50 { recorder.take(sampleOfTwo(number)) }
        recorder.order(.mark("before the upgrade"))
        recorder.finish()
        let finished = try #require(recorder.status.finished.first)
        #expect(finished.samples == 50)
        #expect(finished.requests == 1000)
        #expect(recorder.status.lostRecords == 0)
        #expect(recorder.status.own == nil)
        #expect(try mode(path) == 0o600)
        // Nobody wants requests any more.
        #expect(feed.shifts.last == .some(nil))

        let session = try RecordedSession(paths: [path])
        #expect(session.isClosed)
        #expect(session.damage == [])
        #expect(session.lostCount == 12)
        #expect(try session.samples(0..<50) == (1...50).map { sampleOfTwo($0) })
        #expect(try session.requests().map(\.event) == requests)
        #expect(try session.marks().contains { $0.text == "before the upgrade" })
    }

    /// What the source holds back, for more to be known of it, is in the file when that ends.
    @Test(arguments: [true, false]) func whatIsHeldBackIsInTheFile(isStopped: Bool) throws {
        let folder = try Folder()
        let requests = someRequests(100, second: 2)
        let feed = FakeFeed(held: requests)
        let recorder = try Recorder(settings(), files: files(), feed: feed)
        let path = folder.path + "/a.vbt"
        #expect(recorder.start(path: path) == nil)
        for number: UInt64 in 1...2 { recorder.take(sampleOfTwo(number)) }
        if isStopped { recorder.order(.stop) }
        recorder.finish()
        let session = try RecordedSession(paths: [path])
        #expect(try session.requests().map(\.event) == requests)
    }

    @Test func aFileThatCannotBeCreatedIsToldAndTheNextCan() throws {
        let folder = try Folder()
        let taken = try folder.write([1, 2, 3], to: "taken.vbt")
        let recorder = try Recorder(settings(), files: files(), feed: nil)
        let failure = try #require(recorder.start(path: taken))
        #expect(failure.contains("taken.vbt"))
        #expect(recorder.status.failure == failure)
        #expect(try folder.bytes("taken.vbt") == [1, 2, 3])
        // Its failure is noticed with the next input.
        recorder.take(sampleOfTwo(1))
        #expect(recorder.start(path: folder.path + "/b.vbt") == nil)
        recorder.take(sampleOfTwo(2))
        recorder.finish()
        let session = try RecordedSession(paths: [folder.path + "/b.vbt"])
        #expect(try session.samples(0..<9).map(\.sequence) == [2])
    }

    @Test func theFlightRecorderNamesItsFileAndSaysWhy() throws {
        let folder = try Folder()
        let directory = folder.path + "/state/vblktop"
        let recorder = try Recorder(settings(), files: files(flight: directory), feed: nil)
        for number: UInt64 in 1...5 { recorder.take(sampleOfTwo(number)) }
        recorder.order(.dump("key B"))
        recorder.finish()
        let flight = try #require(recorder.status.finished.first)
        #expect(flight.reason == "key B")
        #expect(flight.path.hasPrefix(directory + "/flight-pay-roll-2023"))
        #expect(try mode(flight.path) == 0o600)
        let session = try RecordedSession(paths: [flight.path])
        #expect(session.isClosed)
        #expect(session.info?.reason == "key B")
        #expect(try session.samples(0..<9).map(\.sequence) == [1, 2, 3, 4, 5])
        #expect(recorder.status.flight == nil)
        #expect(recorder.status.own == nil)
        #expect(recorder.status.flightFailure == nil)
    }

    @Test func aFlightRecorderThatCannotWriteSaysSo() throws {
        let folder = try Folder()
        let file = try folder.write([], to: "file")
        let recorder = try Recorder(settings(), files: files(flight: file), feed: nil)
        recorder.take(sampleOfTwo(1))
        recorder.order(.dump("key B"))
        recorder.finish()
        #expect(recorder.status.flight == nil)
        #expect(recorder.status.flightFailure?.contains("file") == true)
    }

    @Test func whatComesAfterTheEndDelaysNobody() throws {
        let folder = try Folder()
        let recorder = try Recorder(settings(), files: files(), feed: FakeFeed())
        #expect(recorder.start(path: folder.path + "/a.vbt") == nil)
        recorder.take(sampleOfTwo(1))
        recorder.finish()
        recorder.take(sampleOfTwo(2))
        recorder.order(.stop)
        let session = try RecordedSession(paths: [folder.path + "/a.vbt"])
        #expect(session.isClosed)
        #expect(session.sampleCount == 1)
    }
}
