import Kernel
import SystemPackage
import Testing

@Suite struct FilePieceTests {
    private func temporary(_ body: (String) throws -> Void) throws {
        let path = "/var/tmp/vblktop-pieces-\(Process.id)-\(UInt64.random(in: 0...UInt64.max))"
        let file = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .exclusiveCreate],
            permissions: .ownerReadWrite)
        defer {
            try? file.close()
            try? removeFile(path)
        }
        // Two pieces with a hole between them.
        let block = [UInt8](repeating: 7, count: 1 << 16)
        _ = try file.writeAll(toAbsoluteOffset: 0, block)
        _ = try file.writeAll(toAbsoluteOffset: 1 << 20, block)
        try body(path)
    }

    /// The pieces cover what was written and nothing else, in order.
    @Test func writtenAndHole() throws {
        try temporary { path in
            let pieces: [FilePiece]
            do throws(KernelError) { pieces = try FilePiece.all(of: path) } catch {
                // tmpfs and overlay do not say.
                #expect(error.errno == .notSupported)
                return
            }
            #expect(pieces.reduce(0) { $0 + $1.length } == 2 << 16)
            #expect(pieces.first?.offset == 0)
            #expect(
                zip(pieces, pieces.dropFirst()).allSatisfy { $0.offset + $0.length <= $1.offset })
            #expect(pieces.contains { $0.offset == 1 << 20 })
            #expect(pieces.allSatisfy { $0.place > 0 && $0.place % 512 == 0 })
        }
    }

    @Test func whatHasNone() {
        #expect(throws: KernelError.self) { try FilePiece.all(of: "/nowhere") }
        #expect(throws: KernelError.self) { try FilePiece.all(of: "/dev/null") }
    }
}
