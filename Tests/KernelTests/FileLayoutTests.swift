import Foundation
import Kernel
import SystemPackage
import Testing

@Suite struct FileLayoutTests {
    /// A file of this test's own, its name removed with it.
    private final class File {
        let path = NSTemporaryDirectory() + "vblktop-layout-" + UUID().uuidString

        init(_ bytes: Data = Data()) throws { try bytes.write(to: URL(fileURLWithPath: path)) }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func errno(of path: String) -> Errno? {
        do throws(KernelError) {
            _ = try FileLayout(of: path)
            return nil
        } catch {
            return error.errno
        }
    }

    /// Its file system may be one that does not say; if it does, pieces with holes between them are
    /// as many as there are.
    @Test func piecesOfAFile() throws {
        let file = try File()
        #expect(try FileLayout(of: file.path).extents ?? 0 == 0)
        let handle = try #require(FileHandle(forWritingAtPath: file.path))
        for piece in 0..<3 {
            try handle.seek(toOffset: UInt64(piece) << 20)
            try handle.write(contentsOf: Data(repeating: 1, count: 65_536))
            try handle.synchronize()
        }
        let layout = try FileLayout(of: file.path)
        if let extents = layout.extents { #expect((1...48).contains(extents)) }
        #expect(layout.isNoCow ?? false == false)
        let status = try FileStatus(of: file.path)
        #expect(status.size == 2 << 20 | 65_536)
        #expect((3 * 65_536..<2 << 20).contains(Int(status.allocated)))
    }

    @Test func onlyFilesHaveALayout() throws {
        #expect(errno(of: "/dev/null") == .invalidArgument)
        #expect(errno(of: NSTemporaryDirectory()) == .invalidArgument)
        #expect(errno(of: "/no such file") == .noSuchFileOrDirectory)
    }

    @Test func theRoomOfAFileSystem() throws {
        let file = try File()
        let space = try FileSystemSpace(of: file.path)
        #expect(space.size > 0)
        #expect(space.free <= space.size)
        #expect(throws: KernelError.self) { try FileSystemSpace(of: "/no such file") }
    }

    @Test func ticksOfProcessTimes() { #expect(Clock.processTicksPerSecond >= 1) }
}
