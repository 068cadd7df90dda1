import Glibc
import Kernel
import SystemPackage
import Testing

/// What every way to have requests to a file under way keeps to.
@Suite struct FileRequestsTests {
    static let places = [true, false].filter { directory(onTmpfs: $0) != nil }

    private static func file(
        onTmpfs: Bool, byteCount: Int64 = 1 << 16, isDirect: Bool = true
    ) throws -> BackingFile {
        guard let path = directory(onTmpfs: onTmpfs) else {
            throw Unusable(reason: "no directory takes O_DIRECT")
        }
        return try BackingFile(unnamedIn: path, byteCount: byteCount, isDirect: isDirect)
    }

    /// Writes all slots, then reads all: results, slots and data come back, and each completion has
    /// signalled the event.
    @Test(arguments: Way.allCases, places)
    func whatIsWrittenIsRead(_ way: Way, _ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs)
        let event = try EventDescriptor()
        let memory = try SharedMapping(byteCount: 16 * 4096)
        var requests = try AnyRequests(way, capacity: 16, signalling: event)
        for operation in [FileRequest.Operation.write, .read] {
            for slot in 0..<16 {
                let address = memory.address + UInt(slot * 4096)
                set(address, operation == .write ? UInt8(slot + 1) : 0)
                requests.prepare(
                    slot: slot,
                    FileRequest(
                        operation, descriptor: file.descriptor, buffer: address, count: 4096,
                        offset: Int64(slot * 4096)))
            }
            #expect(requests.prepared == 16)
            expectSubmitted(&requests)
            #expect(event.wait())
            let completions = reapAll(&requests, count: 16)
            #expect(Set(completions.map(\.slot)) == Set(0..<16))
            #expect(completions.allSatisfy { $0.result == 4096 })
            for slot in 0..<16 { #expect(get(memory.address + UInt(slot * 4096)) == slot + 1) }
        }
        #expect(!requests.hasCompletion)
        withExtendedLifetime((file, memory)) {}
    }

    /// A vector's parts go to one place in the file, and come back from there, durably or not.
    @Test(arguments: Way.allCases, [true, false])
    func vectorsAreOneTransfer(_ way: Way, _ isDurable: Bool) throws {
        let file = try Self.file(onTmpfs: false)
        let memory = try SharedMapping(byteCount: 3 * 4096)
        var requests = try AnyRequests(way, capacity: 2, signalling: try EventDescriptor())
        let vector = memory.address + 2 * 4096
        for operation in [FileRequest.Operation.writeVector, .readVector] {
            for part in 0..<2 {
                let address = memory.address + UInt(part * 4096)
                set(address, operation == .writeVector ? UInt8(0xA0 + part) : 0)
                setPart(vector, part, to: address)
            }
            requests.prepare(
                slot: 1,
                FileRequest(
                    operation, descriptor: file.descriptor, buffer: vector, count: 2,
                    offset: 8192, isDurable: isDurable))
            expectSubmitted(&requests)
            let completions = reapAll(&requests, count: 1)
            #expect(completions.map(\.slot) == [1] && completions.map(\.result) == [8192])
            #expect(get(memory.address) == 0xA0 && get(memory.address + 4096) == 0xA1)
        }
        withExtendedLifetime((file, memory)) {}
    }

    @Test(arguments: Way.allCases, places)
    func durableWritesAndSyncsComplete(_ way: Way, _ onTmpfs: Bool) throws {
        for isDirect in [true, false] {
            let file = try Self.file(onTmpfs: onTmpfs, isDirect: isDirect)
            let memory = try SharedMapping(byteCount: 4096)
            let event = try EventDescriptor()
            var requests = try AnyRequests(way, capacity: 2, signalling: event)
            set(memory.address, 7)
            requests.prepare(
                slot: 0,
                FileRequest(
                    .write, descriptor: file.descriptor, buffer: memory.address, count: 4096,
                    offset: 4096, isDurable: true))
            expectSubmitted(&requests)
            #expect(event.wait())
            #expect(reapAll(&requests, count: 1).map(\.result) == [4096])
            requests.prepare(slot: 1, .dataSync(file.descriptor))
            expectSubmitted(&requests)
            #expect(event.wait())
            #expect(reapAll(&requests, count: 1).map(\.result) == [0])
            withExtendedLifetime((file, memory)) {}
        }
    }

    /// A read at the end of the file says how little it moved.
    @Test(arguments: Way.allCases, [0, 512, 4096])
    func aShortReadSaysSo(_ way: Way, _ left: Int) throws {
        let file = try Self.file(onTmpfs: false, byteCount: 8192)
        let memory = try SharedMapping(byteCount: 8192)
        var requests = try AnyRequests(way, capacity: 1, signalling: try EventDescriptor())
        requests.prepare(
            slot: 0,
            FileRequest(
                .read, descriptor: file.descriptor, buffer: memory.address, count: 8192,
                offset: Int64(8192 - left)))
        expectSubmitted(&requests)
        #expect(reapAll(&requests, count: 1).map(\.result) == [Int64(left)])
        withExtendedLifetime((file, memory)) {}
    }

    /// A request that cannot be is answered with its error, as it is handed over or later, and
    /// those around it are served.
    @Test(arguments: Way.allCases, places)
    func aBadRequestFailsAlone(_ way: Way, _ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs)
        let memory = try SharedMapping(byteCount: 4096)
        var requests = try AnyRequests(way, capacity: 4, signalling: try EventDescriptor())
        for (slot, descriptor) in [file.descriptor, -1, file.descriptor].enumerated() {
            requests.prepare(
                slot: slot,
                FileRequest(
                    .read, descriptor: descriptor, buffer: memory.address, count: 4096, offset: 0))
        }
        var results: [Int: Int64] = [:]
        while requests.prepared > 0 {
            if case .refused(let slot, let errno) = requests.submit() {
                results[slot] = -Int64(errno.rawValue)
            }
        }
        for (slot, result) in reapAll(&requests, count: 3 - results.count) {
            results[slot] = result
        }
        #expect(results == [0: 4096, 1: -Int64(EBADF), 2: 4096])
        withExtendedLifetime((file, memory)) {}
    }

    /// Rounds enough for all rings to wrap several times, whatever their sizes were rounded up to.
    @Test(arguments: Way.allCases)
    func theRingsWrap(_ way: Way) throws {
        let file = try Self.file(onTmpfs: Self.places.contains(true))
        let memory = try SharedMapping(byteCount: 4096)
        var requests = try AnyRequests(way, capacity: 3, signalling: try EventDescriptor())
        for _ in 0..<700 {
            for slot in 0..<3 {
                requests.prepare(
                    slot: slot,
                    FileRequest(
                        .read, descriptor: file.descriptor, buffer: memory.address, count: 512,
                        offset: 0))
            }
            expectSubmitted(&requests)
            let completions = reapAll(&requests, count: 3)
            #expect(Set(completions.map(\.slot)) == [0, 1, 2])
            #expect(completions.allSatisfy { $0.result == 512 })
        }
        withExtendedLifetime((file, memory)) {}
    }

    @Test(arguments: Way.allCases)
    func nothingToSubmitIsNothing(_ way: Way) throws {
        var requests = try AnyRequests(way, capacity: 2, signalling: try EventDescriptor())
        expectSubmitted(&requests)
        #expect(requests.reap() == 0 && !requests.hasCompletion && requests.prepared == 0)
    }

    /// Whoever gives the requests up while some are in flight has its buffers back afterwards.
    @Test(arguments: Way.allCases, places)
    func givingUpWaitsForWhatIsInFlight(_ way: Way, _ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs, byteCount: 64 * 4096)
        let memory = try SharedMapping(byteCount: 64 * 4096)
        do {
            var requests = try AnyRequests(way, capacity: 64, signalling: try EventDescriptor())
            for slot in 0..<64 {
                let address = memory.address + UInt(slot * 4096)
                set(address, UInt8(slot + 1))
                requests.prepare(
                    slot: slot,
                    FileRequest(
                        .write, descriptor: file.descriptor, buffer: address, count: 4096,
                        offset: Int64(slot * 4096)))
            }
            while requests.prepared > 0 { _ = requests.submit() }
        }
        for slot in 0..<64 {
            let address = memory.address + UInt(slot * 4096)
            set(address, 0)
            let buffer = unsafe UnsafeMutableRawPointer(bitPattern: address)
            let count = unsafe pread(file.descriptor, buffer, 4096, slot * 4096)
            #expect(count == 4096 && get(address) == slot + 1)
        }
    }

    // MARK: Helpers

    private func expectSubmitted(
        _ requests: inout AnyRequests, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let submission = requests.submit()
        #expect(submission == .all && requests.prepared == 0, sourceLocation: sourceLocation)
    }

    private func reapAll(
        _ requests: inout AnyRequests, count: Int
    ) -> [(slot: Int, result: Int64)] {
        var all: [(slot: Int, result: Int64)] = []
        while all.count < count {
            for index in 0..<requests.reap() { all.append(requests.completion(index)) }
            yieldProcessor()
        }
        return all
    }

    private func set(_ address: UInt, _ byte: UInt8) {
        // SAFETY: 4096 bytes of the test's own mapping.
        unsafe UnsafeMutableRawPointer(bitPattern: address)?
            .initializeMemory(as: UInt8.self, repeating: byte, count: 4096)
    }

    /// Makes entry `index` of the iovec array at `vector` 4096 bytes at `address`.
    private func setPart(_ vector: UInt, _ index: Int, to address: UInt) {
        // SAFETY: as above.
        let entry = unsafe UnsafeMutableRawPointer(bitPattern: vector)?
            .assumingMemoryBound(to: UInt.self)
        unsafe entry?[2 * index] = address
        unsafe entry?[2 * index + 1] = 4096
    }

    /// The value of all 4096 bytes, -1 if they differ.
    private func get(_ address: UInt) -> Int {
        // SAFETY: as above.
        let bytes = unsafe UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: address), count: 4096)
        let first = unsafe bytes[0]
        return unsafe bytes.allSatisfy { $0 == first } ? Int(first) : -1
    }
}
