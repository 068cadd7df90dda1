import Foundation
import Kernel
import SystemPackage
import Testing

/// A directory of this test's own.
private final class Directory {
    let path = NSTemporaryDirectory() + "vblktop-files-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A file called `name` of `count` bytes, each its place modulo 251.
    func write(_ name: String, count: Int) -> String {
        let bytes = (0..<count).map { UInt8($0 % 251) }
        _ = FileManager.default.createFile(atPath: path + "/" + name, contents: Data(bytes))
        return path + "/" + name
    }
}

private func errno(of body: () throws(KernelError) -> Void) -> Errno? {
    do {
        try body()
        return nil
    } catch {
        return error.errno
    }
}

@Suite struct FileSystemTests {
    @Test func namesOfADirectory() throws {
        let directory = try Directory()
        for name in ["a", "b c", ".hidden"] { _ = directory.write(name, count: 1) }
        #expect(try directoryEntries(directory.path).sorted() == [".hidden", "a", "b c"])
        #expect(try directoryEntries(directory.path, limit: 2).count == 2)
        #expect(
            errno { () throws(KernelError) in _ = try directoryEntries("/proc/0/fd") }
                == .noSuchFileOrDirectory)
    }

    @Test func whereALinkPoints() throws {
        let directory = try Directory()
        let link = directory.path + "/link"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "../no such/file")
        #expect(try linkTarget(link) == "../no such/file")
        let file = directory.write("file", count: 1)
        #expect(
            errno { () throws(KernelError) in _ = try linkTarget(file) } == .invalidArgument)
    }

    @Test func whatAFileIs() throws {
        let directory = try Directory()
        let file = try FileStatus(of: directory.write("file", count: 4711))
        let itself = try FileStatus(of: directory.path)
        #expect(file.kind == .regular)
        #expect(file.size == 4711)
        #expect(itself.kind == .directory)
        #expect(file.device == itself.device)
        #expect(file.inode != itself.inode)
        let null = try FileStatus(of: "/dev/null")
        #expect(null.kind == .characterDevice)
        #expect(null.ownDevice == FileStatus.Device(major: 1, minor: 3))
    }

    /// Lengths around the sizes in which the buffer grows.
    @Test(arguments: [0, 1, 99, 100, 101, 4195, 4196, 4197, 20_000])
    func aWholeFileWhateverTheBuffer(count: Int) throws {
        let directory = try Directory()
        let file = try ReadableFile(path: directory.write("file", count: count))
        var buffer = [UInt8](repeating: 0xFF, count: 100)
        for _ in 0..<2 {
            #expect(try file.readWhole(into: &buffer, limit: 1 << 20) == count)
            #expect((0..<count).allSatisfy { buffer[$0] == UInt8($0 % 251) })
        }
    }

    @Test func aFileOfTheLimitIsRefused() throws {
        let directory = try Directory()
        let path = directory.write("file", count: 5000)
        let file = try ReadableFile(path: path)
        var buffer: [UInt8] = []
        #expect(try file.readWhole(into: &buffer, limit: 5001) == 5000)
        do throws(KernelError) {
            buffer = []
            _ = try file.readWhole(into: &buffer, limit: 5000)
            Issue.record("read whole")
        } catch {
            #expect(error.errno == .fileTooLarge)
            #expect(error.description.contains(path))
        }
        #expect(buffer.count == 5000)
    }
}
