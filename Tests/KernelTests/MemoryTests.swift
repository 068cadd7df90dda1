import Glibc
import Kernel
import Testing

@Suite struct MemoryTests {
    @Test func aMappingIsZeroedAndPageAligned() throws {
        let mapping = try SharedMapping(byteCount: 3 * 4096 + 1)
        #expect(mapping.address % 4096 == 0)
        let words = try SharedWords(count: 10_000)
        #expect((0..<10_000).allSatisfy { words[$0] == 0 })
    }

    @Test(arguments: [0, -1, Int.max])
    func anImpossibleMappingIsAnError(_ byteCount: Int) {
        let error = #expect(throws: KernelError.self) {
            _ = try SharedMapping(byteCount: byteCount)
        }
        #expect(error?.description.contains("\(byteCount) bytes") == true)
    }

    @Test(arguments: [0, -1, Int.max])
    func anImpossiblePartOfAFileIsAnError(_ byteCount: Int) throws {
        let file = try MemoryFile("vblktop-test-impossible")
        let error = #expect(throws: KernelError.self) {
            _ = try SharedMapping(byteCount: byteCount, addedTo: file)
        }
        #expect(error?.description.contains("\(byteCount) bytes") == true)
    }

    /// Where this process has the memory file called `name` open.
    private static func path(of name: String) -> String? {
        let folder = "/proc/self/fd/"
        return (try? directoryEntries(folder))?.map { folder + $0 }
            .first { (try? linkTarget($0)) == "/memfd:\(name) (deleted)" }
    }

    @Test func othersMapTheFileOfMappings() throws {
        let name = "vblktop-test-memory"
        do {
            let parts = try {
                let file = try MemoryFile(name)
                defer { file.sealSize() }
                return try (0..<2).map { _ in try SharedMapping(byteCount: 5000, addedTo: file) }
            }()
            let path = try #require(Self.path(of: name))
            let window = try FileWindow(path: path, offset: 0, byteCount: 4 * 4096)
            for (index, part) in parts.enumerated() {
                let there = window.address + UInt(index) * 8192 + 4999
                // SAFETY: both are mapped, and nobody else uses them.
                unsafe UnsafeMutablePointer<UInt8>(bitPattern: part.address + 4999)?.pointee = 7
                #expect(unsafe UnsafePointer<UInt8>(bitPattern: there)?.pointee == 7)
            }
            let file = unsafe open(path, O_RDWR | O_CLOEXEC)
            try #require(file >= 0)
            defer { close(file) }
            #expect(ftruncate(file, 4096) == -1)
            #expect(ftruncate(file, 5 * 4096) == -1)
            withExtendedLifetime((parts, window)) {}
        }
        #expect(Self.path(of: name) == nil)
    }

    @Test func aMappingEndsWithItsLastReference() throws {
        func mapped(_ address: UInt) -> Bool {
            var residency: UInt8 = 0
            // SAFETY: the kernel looks at the address, nobody reads it; the vector holds one page.
            return unsafe mincore(UnsafeMutableRawPointer(bitPattern: address), 4096, &residency)
                == 0
        }
        // Larger than anything else here maps meanwhile, so that its middle stays free.
        let size = 1 << 36
        var words: SharedWords? = try SharedWords(count: size / 8)
        var other = words
        let middle = try #require(words).copy(0..<1)
        #expect(middle == [0])
        words = nil
        other?[0] = 5
        #expect(other?[0] == 5)
        other = nil
        var mapping: SharedMapping? = try SharedMapping(byteCount: size)
        let address = (mapping?.address ?? 0) + UInt(size / 2)
        #expect(mapped(address))
        mapping = nil
        #expect(!mapped(address))
    }

    /// Groups have one piece of memory, and no word, cache line or pair of lines in common.
    @Test func groupsOfWordsKeepApart() throws {
        let counts = [3, 0, 17, 16]
        let groups = try SharedWords.groups(counts)
        #expect(groups.map(\.count) == counts)
        for (number, group) in groups.enumerated() {
            for index in 0..<group.count { group[index] = UInt64(number * 100 + index) }
        }
        for (number, group) in groups.enumerated() {
            let expected = (0..<group.count).map { UInt64(number * 100 + $0) }
            #expect(group.copy(0..<group.count) == expected)
        }
        let kept = groups[2]
        #expect(kept[16] == 216)
    }

    /// One writer, a reader: each word is seen whole, and what was released is seen with all before
    /// it.
    @Test func releasedWordsCarryWhatCameBefore() throws {
        let words = try SharedWords(count: 64)
        let rounds: UInt64 = 20_000
        let writer = try PThread(name: "writer") {
            for round in 1...rounds {
                words[8] = round &* 0x1_0000_0001
                words.add(3, at: 16)
                words.release(round, at: 0)
            }
        }
        var last: UInt64 = 0
        var isCoherent = true
        while last < rounds {
            let round = words.acquire(0)
            let value = words[8]
            isCoherent =
                isCoherent && round >= last && words[16] >= 3 * round
                && (value == 0 || value >> 32 == value & 0xFFFF_FFFF) && value >> 32 >= round
            last = round
        }
        writer.join()
        #expect(isCoherent)
        #expect(words[16] == 3 * rounds)
        #expect(words.copy(0..<1) == [rounds])
    }
}
