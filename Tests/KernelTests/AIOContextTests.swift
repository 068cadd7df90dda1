import Glibc
import Kernel
import SystemPackage
import Testing

@Suite struct AIOContextTests {
    static let places = [true, false].filter { directory(onTmpfs: $0) != nil }

    private static func file(onTmpfs: Bool, byteCount: Int64 = 1 << 16) throws -> BackingFile {
        guard let path = directory(onTmpfs: onTmpfs) else {
            throw Unusable(reason: "no directory takes O_DIRECT")
        }
        return try BackingFile(unnamedIn: path, byteCount: byteCount)
    }

    /// Writes all slots, then reads all: results, tags and data come back, and each completion has
    /// signalled the event.
    @Test(arguments: places)
    func whatIsWrittenIsRead(_ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs)
        let event = try EventDescriptor()
        let memory = try SharedMapping(byteCount: 16 * 4096)
        var context = try AIOContext(capacity: 16, signalling: event)
        for operation in [AIOContext.Operation.write, .read] {
            for slot in 0..<16 {
                let address = memory.address + UInt(slot * 4096)
                set(address, operation == .write ? UInt8(slot + 1) : 0)
                context.prepare(
                    slot: slot, operation, descriptor: file.descriptor, buffer: address,
                    count: 4096, offset: Int64(slot * 4096))
            }
            let submission = context.submit()
            #expect(submission == .all)
            #expect(event.wait())
            let completions = reapAll(&context, count: 16)
            #expect(Set(completions.map(\.slot)) == Set(0..<16))
            #expect(completions.allSatisfy { $0.result == 4096 })
            for slot in 0..<16 { #expect(get(memory.address + UInt(slot * 4096)) == slot + 1) }
        }
        let (isLeft, prepared) = (context.hasCompletion, context.prepared)
        #expect(!isLeft && prepared == 0)
        withExtendedLifetime((file, memory)) {}
    }

    @Test(arguments: places)
    func dataSyncCompletes(_ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs)
        var context = try AIOContext(capacity: 1, signalling: try EventDescriptor())
        context.prepare(
            slot: 0, .dataSync, descriptor: file.descriptor, buffer: 0, count: 0, offset: 0)
        let submission = context.submit()
        #expect(submission == .all)
        #expect(reapAll(&context, count: 1).map(\.result) == [0])
        withExtendedLifetime(file) {}
    }

    /// A request the kernel refuses is named, and those around it are served.
    @Test(arguments: places)
    func aRefusedRequestIsNamed(_ onTmpfs: Bool) throws {
        let file = try Self.file(onTmpfs: onTmpfs)
        let memory = try SharedMapping(byteCount: 4096)
        var context = try AIOContext(capacity: 4, signalling: try EventDescriptor())
        for (slot, descriptor) in [file.descriptor, -1, file.descriptor].enumerated() {
            context.prepare(
                slot: slot, .read, descriptor: descriptor, buffer: memory.address, count: 4096,
                offset: 0)
        }
        var submissions: [AIOContext.Submission] = []
        while submissions.last != .all { submissions.append(context.submit()) }
        #expect(submissions == [.some, .refused(slot: 1, .badFileDescriptor), .all])
        #expect(Set(reapAll(&context, count: 2).map(\.slot)) == [0, 2])
        withExtendedLifetime((file, memory)) {}
    }

    /// Rounds enough for the completion ring to wrap several times, whatever the kernel rounded its
    /// size up to.
    @Test func theRingWraps() throws {
        let file = try Self.file(onTmpfs: Self.places.contains(true))
        let memory = try SharedMapping(byteCount: 4096)
        var context = try AIOContext(capacity: 3, signalling: try EventDescriptor())
        for _ in 0..<700 {
            for slot in 0..<3 {
                context.prepare(
                    slot: slot, .read, descriptor: file.descriptor, buffer: memory.address,
                    count: 512, offset: 0)
            }
            let submission = context.submit()
            #expect(submission == .all)
            #expect(reapAll(&context, count: 3).allSatisfy { $0.result == 512 })
        }
        withExtendedLifetime((file, memory)) {}
    }

    @Test func nothingToSubmitIsNothing() throws {
        var context = try AIOContext(capacity: 2, signalling: try EventDescriptor())
        let (submission, count) = (context.submit(), context.reap())
        #expect(submission == .all && count == 0)
    }

    /// More contexts than the system has: the error says which limit to raise.
    @Test func theSystemsBudgetIsNamed() throws {
        let error = #expect(throws: KernelError.self) {
            let event = try EventDescriptor()
            _ = try AIOContext(capacity: 0x1000_0000, signalling: event)
        }
        let text = error?.description ?? ""
        #expect(text.contains("268435456 requests"))
        #expect(error?.errno != .resourceTemporarilyUnavailable || text.contains("aio-max-nr"))
    }

    // MARK: Helpers

    private func reapAll(
        _ context: inout AIOContext, count: Int
    ) -> [(slot: Int, result: Int64)] {
        var all: [(slot: Int, result: Int64)] = []
        while all.count < count {
            for index in 0..<context.reap() { all.append(context.completion(index)) }
            yieldProcessor()
        }
        return all
    }

    private func set(_ address: UInt, _ byte: UInt8) {
        // SAFETY: 4096 bytes of the test's own mapping.
        unsafe UnsafeMutableRawPointer(bitPattern: address)?
            .initializeMemory(as: UInt8.self, repeating: byte, count: 4096)
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
