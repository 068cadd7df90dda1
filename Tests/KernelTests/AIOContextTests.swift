import Kernel
import SystemPackage
import Testing

/// What is Linux AIO's alone.
@Suite struct AIOContextTests {
    /// A request the kernel refuses is named at once, before those behind it are handed over.
    @Test(arguments: FileRequestsTests.places)
    func aRefusedRequestIsNamed(_ onTmpfs: Bool) throws {
        guard let path = directory(onTmpfs: onTmpfs) else { return }
        let file = try BackingFile(unnamedIn: path, byteCount: 1 << 16)
        let memory = try SharedMapping(byteCount: 4096)
        var context = try AIOContext(capacity: 4, signalling: try EventDescriptor())
        for (slot, descriptor) in [file.descriptor, -1, file.descriptor].enumerated() {
            context.prepare(
                slot: slot,
                FileRequest(
                    .read, descriptor: descriptor, buffer: memory.address, count: 4096, offset: 0))
        }
        var submissions: [Submission] = []
        while submissions.last != .all { submissions.append(context.submit()) }
        #expect(submissions == [.some, .refused(slot: 1, .badFileDescriptor), .all])
        withExtendedLifetime((file, memory)) {}
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
}
