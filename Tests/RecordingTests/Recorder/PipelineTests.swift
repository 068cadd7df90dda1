import Telemetry
import Testing

@testable import Recording

private let names = ["ledger", "wages"]

/// What goes into which file, and when.
@Suite struct PipelineTests {
    /// Settings of a pipeline that only orders make write.
    private func settings(_ change: (inout PipelineSettings) -> Void = { _ in }) -> PipelineSettings
    {
        var settings = PipelineSettings()
        settings.watchesTrouble = false
        settings.recordsRequests = true
        change(&settings)
        return settings
    }

    /// Lets the seconds of `range` pass, each with a sample and a few requests.
    private func pass(
        _ range: ClosedRange<UInt64>, _ pipeline: inout RecordingPipeline, _ book: inout FileBook
    ) throws {
        for number in range {
            book.follow(try pipeline.take(someRequests(5, second: number), names: names))
            book.follow(try pipeline.take(sampleOfTwo(number)))
            book.follow(try pipeline.tick(number * second, lost: 0))
        }
    }

    @Test func withoutAReasonNothingIsWritten() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        try pass(1...90, &pipeline, &book)
        #expect(book.files.isEmpty)
        #expect(book.strays == 0)
        #expect(pipeline.state == .idle)
        // Few requests at first, all of them where hardly any come.
        #expect(pipeline.share == 0)
    }

    @Test func aDumpHasWhatWasBeforeAndTheTenSecondsAfter() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        try pass(1...95, &pipeline, &book)
        book.follow(try pipeline.dump(95 * second, "key B"))
        try pass(96...104, &pipeline, &book)
        #expect(book.files.count == 1)
        #expect(book.files.first?.isClosed == false)
        try pass(105...130, &pipeline, &book)
        let file = try #require(book.files.last)
        #expect(book.files.count == 1)
        #expect(book.strays == 0)
        #expect(file.isClosed)
        #expect(file.reason?.text == "key B")
        #expect(pipeline.state == .idle)

        let folder = try Folder()
        let session = try file.session(in: folder)
        #expect(session.damage == [])
        let samples = try session.samples(0..<session.sampleCount)
        let first = try #require(samples.first?.sequence)
        // At least the half minute before; at most a group more.
        #expect(first <= 65 && first > 45)
        #expect(samples == (first...105).map { sampleOfTwo($0) })
        #expect(try session.marks().map(\.text) == ["key B"])
        let requests = try session.requests()
        // Those of the second before the first sample stand before it, and are gone.
        #expect(requests.count == 5 * (105 - Int(first)))
        #expect(requests.allSatisfy { names[Int($0.event.lun)] == $0.name })
    }

    @Test func aConditionThatComesTrueIsTheReason() throws {
        let trigger = try Trigger("total iops > 1k")
        var pipeline = try RecordingPipeline(settings { $0.triggers = [trigger] })
        var book = FileBook()
        try pass(1...12, &pipeline, &book)
        book.follow(try pipeline.take(sampleOfTwo(13, iops: 5000)))
        book.follow(try pipeline.stop(14 * second))
        let file = try #require(book.files.first)
        #expect(file.reason?.text == "total iops > 1k (total)")
        let folder = try Folder()
        let session = try file.session(in: folder)
        // The sample that made it true is in the file, and so are those before.
        #expect(try session.samples(0..<session.sampleCount).map(\.sequence) == Array(1...13))
        #expect(try session.marks().map(\.kind).filter { $0 != .change } == [.trigger])
    }

    @Test func aReasonThatComesBackProlongsTheDumpForAMinuteAtMost() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        var number: UInt64 = 10
        try pass(1...number, &pipeline, &book)
        repeat {
            book.follow(try pipeline.dump(number * second, "again"))
            number += 5
            try pass(number - 4...number, &pipeline, &book)
        } while pipeline.state != .idle && number < 200
        #expect(number == 70)
        #expect(book.files.count == 1)
        #expect(book.files.first?.isClosed == true)
    }

    @Test func recordingStartsAFileOfItsOwnWhileTheFlightRecorderWrites() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        try pass(1...20, &pipeline, &book)
        book.follow(try pipeline.dump(20 * second, "key B"))
        try pass(21...24, &pipeline, &book)
        book.follow(try pipeline.start(24 * second, path: "mine.vbt"))
        #expect(pipeline.share == 0)
        try pass(25...44, &pipeline, &book)
        // While everything is recorded a reason is a mark in it.
        book.follow(try pipeline.dump(44 * second, "key B again"))
        book.follow(try pipeline.stop(45 * second))
        #expect(book.files.map(\.path) == [nil, "mine.vbt"])
        #expect(book.files.map(\.isClosed) == [true, true])
        #expect(book.strays == 0)

        let folder = try Folder()
        let sessions = try book.files.map { try $0.session(in: folder) }
        let samples = try sessions.map { try $0.samples(0..<$0.sampleCount) }
        #expect(samples[0] == (1...24).map { sampleOfTwo($0) })
        #expect(samples[1] == (25...44).map { sampleOfTwo($0) })
        #expect(
            try sessions[1].marks().map(\.text) == ["every request is recorded", "key B again"])
        #expect(try sessions[1].requests().count == 5 * 20)
    }

    @Test func aRecordingOfSamplesAloneHoldsNoRequests() throws {
        var pipeline = try RecordingPipeline(settings { $0.recordsRequests = false })
        var book = FileBook()
        #expect(pipeline.share != nil)
        book.follow(try pipeline.start(0, path: "mine.vbt"))
        #expect(pipeline.share == nil)
        try pass(1...3, &pipeline, &book)
        book.follow(try pipeline.stop(4 * second))
        // The flight recorder goes on with requests.
        #expect(pipeline.share == 6)
        let folder = try Folder()
        let session = try #require(book.files.first).session(in: folder)
        #expect(session.requestCount == 0)
        #expect(session.sampleCount == 3)
        #expect(try session.marks().map(\.text) == ["no requests are recorded"])
    }

    @Test func theShareOfRequestsIsMarkedWhenItChanges() throws {
        var pipeline = try RecordingPipeline(settings { $0.recordingBudget = 1000 })
        var book = FileBook()
        book.follow(try pipeline.tick(0, lost: 0))
        book.follow(try pipeline.start(0, path: "mine.vbt"))
        var shares: [Int?] = []
        for (index, count) in [8000, 1000, 100, 100].enumerated() {
            let number = UInt64(index + 1)
            book.follow(try pipeline.take(someRequests(count, second: number), names: names))
            book.follow(try pipeline.tick(number * second, lost: 0))
            shares.append(pipeline.share)
        }
        book.follow(try pipeline.stop(5 * second))
        #expect(shares == [3, 3, 2, 1])
        let folder = try Folder()
        let session = try #require(book.files.first).session(in: folder)
        #expect(
            try session.marks().map { "\($0.monotonic / second) \($0.text)" } == [
                "0 every request is recorded", "1 one request in 8 is recorded",
                "3 one request in 4 is recorded", "4 one request in 2 is recorded",
            ])
        #expect(session.requestCount == 9200)
    }

    @Test func whatTheSourceLostIsCountedExactly() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        book.follow(try pipeline.start(0, path: "mine.vbt"))
        for (number, lost) in zip(UInt64(1)..., [UInt64(0), 7, 7, 10]) {
            book.follow(try pipeline.take(someRequests(3, second: number), names: names))
            book.follow(try pipeline.tick(number * second, lost: lost))
        }
        book.follow(try pipeline.stop(5 * second))
        let chunks = try #require(book.files.first).chunks.filter { $0.kind == .requests }
        #expect(chunks.reduce(0) { $0 + $1.lost } == 10)
        let folder = try Folder()
        #expect(try #require(book.files.first).session(in: folder).lostCount == 10)
        // Losing requests lowers their share at once.
        #expect(chunks.count >= 2)
    }

    @Test func afterAFailureItKeepsInMemoryAgain() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        try pass(1...3, &pipeline, &book)
        book.follow(try pipeline.start(3 * second, path: "full.vbt"))
        try pass(4...6, &pipeline, &book)
        pipeline.fail(.own)
        #expect(pipeline.state == .idle)
        #expect(pipeline.share == 6)
        var later = FileBook()
        try pass(7...9, &pipeline, &later)
        #expect(later.files.isEmpty && later.strays == 0)
        later.follow(try pipeline.dump(9 * second, "key B"))
        later.follow(try pipeline.stop(10 * second))
        let folder = try Folder()
        let session = try #require(later.files.first).session(in: folder)
        #expect(try session.samples(0..<session.sampleCount).map(\.sequence) == [7, 8, 9])
        #expect(session.damage == [])
    }

    @Test func samplesThatDidNotComeAreAGap() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        book.follow(try pipeline.start(0, path: "mine.vbt"))
        for number: UInt64 in [1, 2, 6, 7] {
            book.follow(try pipeline.take(sampleOfTwo(number)))
        }
        book.follow(try pipeline.stop(8 * second))
        let folder = try Folder()
        let gaps = try #require(book.files.first).session(in: folder).marks()
            .filter { $0.kind == .gap }
        #expect(gaps.map(\.text) == ["3 samples were not recorded"])
        #expect(gaps.map(\.monotonic) == [2 * second])
    }

    @Test func findingsAndNoticesCanBeFoundAgain() throws {
        var pipeline = try RecordingPipeline(settings())
        var book = FileBook()
        book.follow(try pipeline.start(0, path: "mine.vbt"))
        for number: UInt64 in 1...4 {
            var sample = sampleOfTwo(number)
            if number == 2 || number == 3 {
                sample.findings = [
                    Finding(
                        rule: "shared", severity: .warning, scope: "lun:ledger", title: "busy",
                        evidence: "", fix: "")
                ]
            }
            if number == 3 {
                sample.notices = [
                    Notice(
                        monotonic: sample.monotonic - 5, vm: "guest", severity: .critical,
                        text: "paused")
                ]
            }
            book.follow(try pipeline.take(sample))
        }
        book.follow(try pipeline.stop(5 * second))
        let folder = try Folder()
        let marks = try #require(book.files.first).session(in: folder).marks()
            .filter { $0.kind != .change }
        #expect(marks.map(\.kind) == [.finding, .notice, .finding])
        #expect(
            marks.map(\.text) == ["shared appeared: busy", "paused", "shared cleared: busy"])
        #expect(marks.map(\.severity) == [.warning, .critical, .info])
        #expect(marks.map(\.scope) == ["lun:ledger", "vm:guest", "lun:ledger"])
    }

    @Test func redactionReachesSamplesMarksReasonsAndRequests() throws {
        var pipeline = try RecordingPipeline(settings { $0.redacts = true })
        var book = FileBook()
        try pass(1...3, &pipeline, &book)
        let text = "ledger is slow, see /srv/payroll/log"
        book.follow(try pipeline.dump(3 * second, text))
        try pass(4...5, &pipeline, &book)
        // A LUN took another's place.
        book.follow(
            try pipeline.take(someRequests(2, second: 6), names: ["ledger", "pensions"]))
        book.follow(try pipeline.stop(6 * second))
        let file = try #require(book.files.first)
        #expect(file.reason?.text == "lun-1 is slow, see /…")
        let folder = try Folder()
        let session = try file.session(in: folder)
        let marks = try session.marks().filter { $0.kind != .change }
        #expect(marks.map(\.text) == ["lun-1 is slow, see /…"])
        let samples = try session.samples(0..<session.sampleCount)
        #expect(samples.allSatisfy { $0.luns.map(\.id) == ["lun-1", "lun-2"] })
        #expect(samples.allSatisfy { $0.luns.map(\.file) == ["file-1", "file-2"] })
        #expect(samples.allSatisfy { $0.source.name == "source-1" })
        #expect(samples.last?.total == sampleOfTwo(5).total)
        let requests = try session.requests()
        #expect(Set(requests.dropLast(2).map(\.name)) == ["lun-1", "lun-2"])
        #expect(requests.suffix(2).map(\.name) == ["lun-1", "lun-3"])
    }
}
