import Libraries
import Telemetry
import Testing

@testable import KernelProbes

/// What the programs hand over, from recorded words and bytes.
@Suite struct DecodingTests {
    @Test func aRecordOfTheRing() {
        // A write of 4096 bytes to 254:16 that ended with an error of -5.
        let words: [UInt64] = [
            1_000, 2_000, 3_000, 0x1_0000_0008, 1 << 32 | 4096, 0xFFFF_FFFB << 32 | 254 << 20 | 16,
        ]
        let request = BlockRequestTrace(record: words[...])
        #expect(
            request
                == BlockRequestTrace(
                    major: 254, minor: 16, operation: 1, sector: 0x1_0000_0008, byteCount: 4096,
                    inserted: 1_000, issued: 2_000, completed: 3_000, error: -5))
    }

    @Test func countsOfADisk() {
        var books = DiskCounts()
        var activity = BlockActivity()
        let first: [UInt64] = [21, 5, 4, 3, 2, 1, 512, 1024, 1, 2, 6, 7, 1]
        books.advance(to: first, &activity)
        #expect(activity.completions == 15)
        #expect(activity.inFlight == 3)
        #expect((activity.readBytes, activity.writeBytes) == (512, 1024))
        #expect((activity.errors, activity.requeued, activity.unfollowed) == (1, 2, 6))
        #expect(activity.unseen == 1)
        books.advance(to: [23, 7, 4, 3, 2, 1, 600, 1024, 1, 2, 6, 7, 1], &activity)
        #expect((activity.readCount, activity.writeCount, activity.readBytes) == (2, 0, 88))
        #expect(activity.inFlight == 3)
    }

    /// One CPU's completion may be read before another's issue.
    @Test func neverFewerThanNoneAreUnderWay() {
        var books = DiskCounts()
        var activity = BlockActivity()
        books.advance(to: [3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &activity)
        #expect(activity.inFlight == 0)
    }

    @Test func aTallyGivesWhatIsNew() {
        var tally = Tally()
        var words = [UInt64](repeating: 0, count: Tally.words)
        (words[0], words[1 + 40]) = (40, 1)
        let first = tally.advance(to: words)
        #expect(first.buckets.map(\.index) == [40] && first.sum == 40)
        (words[0], words[1 + 41]) = (122, 2)
        let second = tally.advance(to: words)
        #expect(second.buckets == [.init(index: 41, count: 2)] && second.sum == 82)
    }

    @Test(arguments: [
        ("254:16\n", 254, 16), ("7:0", 7, 0), ("259:1048575", 259, 1_048_575),
    ])
    func aDeviceNumber(text: String, major: UInt32, minor: UInt32) {
        let number = DeviceNumber(text)
        #expect(number == DeviceNumber(major: major, minor: minor))
        #expect(number.map { DeviceNumber(kernel: $0.kernelNumber) } == number)
    }

    @Test(arguments: ["", "7", "7:", ":7", "a:b", "7:0:1", "4096:0", "1:1048576"])
    func noDeviceNumber(text: String) { #expect(DeviceNumber(text) == nil) }
}

/// What is refused is said in words that help.
@Suite struct RefusalTests {
    @Test func noRights() {
        let error = KernelProbeError(
            BPFError(attempt: "load the programs", errno: 1, words: "RLIMIT_MEMLOCK"), of: "block")
        #expect(
            error.description
                == "BPF programs block: cannot load the programs: Operation not permitted; "
                + "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE")
    }

    @Test(arguments: [(2, "CONFIG_DEBUG_INFO_BTF"), (22, "do not suit"), (12, "memory")])
    func otherReasons(errno: Int32, word: String) {
        let error = KernelProbeError(
            BPFError(attempt: "load", errno: errno, words: "the verifier: no"), of: "block")
        #expect(error.reason.contains("the verifier: no"))
        #expect(error.remedy?.contains(word) == true)
    }

    @Test func noObjectFile() {
        #expect(throws: KernelProbeError.self) {
            try ProgramFile.read("block", directories: ["/nowhere"])
        }
    }

    /// What is no object file is refused, and libbpf keeps quiet.
    @Test(arguments: [[], [0x7F, 0x45, 0x4C, 0x46], Array(repeating: 7, count: 4096)])
    func noObject(bytes: [UInt8]) {
        #expect(throws: BPFError.self) { try BPFObject(bytes) }
    }

    /// An object of another version cannot have us read beyond a buffer.
    @Test(.enabled(if: Permission.isGranted, "BPF is refused")) func mapsOfAnotherSize() throws {
        let object = try ProgramFile.read("wakeups")
        for map in ["slots", "woken", "tallies"] { try object.resize(map, to: 1) }
        try object.load()
        #expect(throws: BPFError.self) { try object.map("tallies", words: Tally.words + 1) }
        #expect(throws: BPFError.self) {
            try object.map("tallies", words: Tally.words, perCPU: true)
        }
        #expect(throws: BPFError.self) { try object.map("nothing", words: 1) }
    }
}
