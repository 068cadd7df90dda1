import Exchange
import Telemetry
import Testing

@Suite struct BlktraceTests {
    private typealias Bytes = BlktraceBytes

    @Test(arguments: [false, true]) func aRequestIsQueuedIssuedAndCompleted(big: Bool) throws {
        var trace = Bytes(bigEndian: big)
        trace.addWallClock(at: 4_000, seconds: 1_700_000_000, nanoseconds: 5)
        trace.add("Q", Bytes.write, at: 5_000, sector: 64, bytes: 4096, data: [1, 2, 3])
        trace.add("G", Bytes.write, at: 5_100, sector: 64, bytes: 4096)
        trace.add("D", Bytes.write, at: 6_000, sector: 64, bytes: 4096)
        trace.add("C", Bytes.write, at: 9_000, sector: 64, bytes: 4096)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(1, 64, 4096, queued: 5_000, submitted: 6_000, completed: 9_000, status: 0)
            ])
        #expect(imported.list.names == [0: "8,0"])
        #expect(imported.report.origin == Int64(1_699_999_999_999_996_005))
        #expect(imported.report.faults.count == 0)
        #expect(imported.report.skipped == 2)
    }

    @Test func biosMergedBehindAndInFrontAreOneRequestFromTheFirstOn() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.read, at: 100, sector: 80, bytes: 4096)
        trace.add("Q", Bytes.read, at: 200, sector: 88, bytes: 4096)
        trace.add("M", Bytes.read, at: 210, sector: 88, bytes: 4096)
        trace.add("Q", Bytes.read, at: 300, sector: 72, bytes: 4096)
        trace.add("F", Bytes.read, at: 310, sector: 72, bytes: 4096)
        trace.add("D", Bytes.read, at: 400, sector: 72, bytes: 12288)
        trace.add("C", Bytes.read, at: 500, sector: 72, bytes: 12288)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(0, 72, 12288, queued: 100, submitted: 400, completed: 500, status: 0)
            ])
        #expect(imported.report.merges == 2)
    }

    @Test func bothPartsOfASplitBioAreRequestsQueuedWithIt() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.read, at: 100, sector: 0, bytes: 8192)
        trace.add(
            "X", Bytes.read, at: 110, sector: 0, bytes: 8192, data: [0, 0, 0, 0, 0, 0, 0, 8])
        trace.add("D", Bytes.read, at: 200, sector: 0, bytes: 4096)
        trace.add("D", Bytes.read, at: 210, sector: 8, bytes: 4096)
        trace.add("C", Bytes.read, at: 300, sector: 8, bytes: 4096)
        trace.add("C", Bytes.read, at: 310, sector: 0, bytes: 4096)
        #expect(
            try Imported(.blktrace, trace.bytes).events == [
                request(0, 8, 4096, queued: 100, submitted: 210, completed: 300, status: 0),
                request(0, 0, 4096, queued: 100, submitted: 200, completed: 310, status: 0),
            ])
    }

    @Test func aRequestThatCompletesInPartsEndsWithTheLast() throws {
        var trace = Bytes()
        trace.add("D", Bytes.read, at: 200, sector: 0, bytes: 8192)
        trace.add("C", Bytes.read, at: 300, sector: 0, bytes: 4096)
        trace.add("C", Bytes.read, at: 400, sector: 8, bytes: 4096)
        #expect(
            try Imported(.blktrace, trace.bytes).events == [
                request(0, 0, 8192, submitted: 200, completed: 400, status: 0)
            ])
    }

    @Test func aRequeuedRequestIsSubmittedWhenItIsIssuedAgain() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.read, at: 100, sector: 0, bytes: 512)
        trace.add("D", Bytes.read, at: 200, sector: 0, bytes: 512)
        trace.add("R", Bytes.read, at: 300, sector: 0, bytes: 512)
        trace.add("D", Bytes.read, at: 400, sector: 0, bytes: 512)
        trace.add("C", Bytes.read, at: 500, sector: 0, bytes: 512, error: 5)
        #expect(
            try Imported(.blktrace, trace.bytes).events == [
                request(0, 0, 512, queued: 100, submitted: 400, completed: 500, status: 1)
            ])
    }

    @Test func aFlushIsOneRequestThoughItsBioCompletesToo() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.flush | Bytes.write, at: 100)
        trace.add("D", Bytes.flush | Bytes.read, at: 200)
        trace.add("C", Bytes.flush | Bytes.read, at: 300)
        trace.add("C", Bytes.write, at: 310, sector: 5000)
        trace.add("Q", Bytes.discard | Bytes.write, at: 400, sector: 8, bytes: 1 << 20)
        trace.add("D", Bytes.discard | Bytes.write, at: 500, sector: 8, bytes: 1 << 20)
        trace.add("C", Bytes.discard | Bytes.write, at: 600, sector: 8, bytes: 1 << 20)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(4, 0, 0, queued: 100, submitted: 200, completed: 300, status: 0),
                request(11, 8, 1 << 20, queued: 400, submitted: 500, completed: 600, status: 0),
            ])
        #expect(imported.report.faults.count == 0)
    }

    @Test func flushesThatTheBlockLayerCombinesEndWithTheirOwnBios() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.flush | Bytes.write, at: 100)
        trace.add("Q", Bytes.flush | Bytes.write, at: 150)
        trace.add("D", Bytes.flush | Bytes.read, at: 200)
        trace.add("C", Bytes.flush | Bytes.read, at: 300)
        trace.add("C", Bytes.write, at: 310, sector: 5000)
        trace.add("C", Bytes.write, at: 320, sector: 6000)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(4, 0, 0, queued: 100, submitted: 200, completed: 300, status: 0),
                request(4, 0, 0, queued: 150, submitted: 0, completed: 320, status: 0),
            ])
        #expect(imported.report.faults.count == 0)
    }

    @Test func aDeviceThatTakesBiosHasNoIssue() throws {
        var trace = Bytes()
        trace.add("Q", Bytes.write, at: 100, sector: 8, bytes: 512, device: 253 << 20 | 7)
        trace.add("C", Bytes.write, at: 200, sector: 8, bytes: 512, device: 253 << 20 | 7)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(1, 8, 512, queued: 100, submitted: 0, completed: 200, status: 0)
            ])
        #expect(imported.list.names == [0: "253,7"])
    }

    @Test func lostAndOrphanedRecordsAreCountedAndUnfinishedRequestsHandedOver() throws {
        var trace = Bytes()
        trace.add("C", Bytes.read, at: 50, sector: 1, bytes: 512)
        trace.add("D", Bytes.read, at: 100, sector: 2, bytes: 512)
        trace.sequence += 3
        trace.add("D", Bytes.read, at: 90, sector: 3, bytes: 512)
        let imported = try Imported(.blktrace, trace.bytes)
        #expect(
            imported.events == [
                request(0, 3, 512, submitted: 90), request(0, 2, 512, submitted: 100),
            ])
        #expect(imported.report.unfinished == 2)
        #expect(imported.report.lost == 3)
        #expect(imported.report.faults.count == 1)
        #expect(imported.report.faults.first.map(\.line) == [1])
    }

    @Test func whatIsNoRecordIsOneFaultAndWhatFollowsIsRead() throws {
        var trace = Bytes()
        trace.add("D", Bytes.read, at: 100, sector: 2, bytes: 512)
        trace.bytes += Array(repeating: 7, count: 61)
        trace.add("C", Bytes.read, at: 200, sector: 2, bytes: 512)
        let cut = Array(trace.bytes.dropLast(5))
        let whole = try Imported(.blktrace, trace.bytes)
        #expect(whole.events.map(\.completed) == [200])
        #expect(whole.report.faults.first.map(\.line) == [2])
        let broken = try Imported(.blktrace, cut)
        #expect(broken.events.map(\.completed) == [0])
        #expect(broken.report.faults.first.map(\.reason).last == "the record is cut off")
    }

    @Test func aSectorWithTooManyRequestsAndTooManyRequestsGiveTheOldestUp() throws {
        var crowd = Bytes()
        for time in 1...40 { crowd.add("Q", Bytes.read, at: UInt64(time), sector: 9, bytes: 512) }
        crowd.add("C", Bytes.read, at: 50, sector: 9, bytes: 512)
        let crowded = try Imported(.blktrace, crowd.bytes)
        #expect(crowded.events.map(\.queued) == Array(1...40))
        #expect(crowded.events.firstIndex { $0.completed == 50 } == 8, "32 wait")
        #expect(crowded.report.unfinished == 39)
        var many = Bytes()
        for index in 1...66_000 as ClosedRange<UInt64> {
            many.add("Q", Bytes.read, at: index, sector: index, bytes: 512)
        }
        many.add("C", Bytes.read, at: 70_000, sector: 1, bytes: 512)
        let imported = try Imported(.blktrace, many.bytes)
        #expect(imported.report.requests == 66_000)
        #expect(imported.report.faults.count == 1, "the first was given up before its completion")
    }

    // MARK: Several files

    /// Two CPUs' files, and the same records in one.
    private func twoFiles(seed: UInt64) -> (files: [[UInt8]], whole: [UInt8]) {
        var random = ImportRandom(seed: seed)
        var (first, second, whole) = (Bytes(), Bytes(), Bytes())
        for index in 0..<500 as Range<UInt64> {
            let cpus = [Bool.random(using: &random), Bool.random(using: &random)]
            for (step, letter) in zip([0, 1] as [UInt64], ["D", "C"] as [Character]) {
                let time = 1_000 + index * 10 + step * 5
                let onFirst = cpus[Int(step)]
                if onFirst {
                    first.add(letter, Bytes.read, at: time, sector: index, bytes: 512, cpu: 0)
                } else {
                    second.add(letter, Bytes.read, at: time, sector: index, bytes: 512, cpu: 1)
                }
                whole.add(letter, Bytes.read, at: time, sector: index, bytes: 512)
            }
        }
        return ([first.bytes, second.bytes], whole.bytes)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func theFilesOfSeveralCPUsAreOneTrace(
        seed: UInt64
    ) throws {
        let (files, whole) = twoFiles(seed: seed)
        var random = ImportRandom(seed: seed)
        var rest = files.map { $0[...] }
        var merger = BlktraceMerger(fileCount: 2)
        var list = ImportedList()
        while let file = merger.wanted {
            let piece = rest[file].prefix(Int.random(in: 1...300, using: &random))
            rest[file] = rest[file].dropFirst(piece.count)
            if piece.isEmpty {
                try merger.end(ofFile: file, into: &list)
            } else {
                try merger.take(piece, ofFile: file, into: &list)
            }
        }
        #expect(list.events == (try Imported(.blktrace, whole)).events)
        #expect(list.events.count == 500)
        #expect(merger.report.unfinished == 0)
        #expect(merger.report.lost == 0)
        // One file behind the other, as `cat` has them.
        let chained = try Imported(.blktrace, files[0] + files[1])
        #expect(chained.events == list.events)
    }

    @Test func noFilesAreNoTrace() {
        #expect(BlktraceMerger(fileCount: 0).wanted == nil)
        #expect(BlktraceMerger(fileCount: -1).wanted == nil)
    }
}
