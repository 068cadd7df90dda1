import Foundation
import Glibc
import Kernel
import SystemPackage
import Testing

@Suite("A file that cannot shrink is mapped")
struct FileWindowTests {
    /// A file of two pages of memory, open as long as the body runs.
    private func withMemory(
        sealed: Bool, _ body: (_ descriptor: CInt, _ path: String) throws -> Void
    ) throws {
        // Swift's Glibc does not have it.
        let symbol = unsafe dlsym(nil, "memfd_create")
        try #require(unsafe symbol != nil)
        let create = unsafe unsafeBitCast(
            symbol, to: (@convention(c) (UnsafePointer<CChar>, CUnsignedInt) -> CInt).self)
        let descriptor = unsafe create("vblktop-test", 2)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(ftruncate(descriptor, 8192) == 0)
        if sealed { try #require(fcntl(descriptor, 1033, CInt(2)) == 0) }
        try body(descriptor, "/proc/self/fd/\(descriptor)")
    }

    private func write(_ byte: UInt8, to descriptor: CInt, at offset: Int) {
        var byte = byte
        #expect(unsafe pwrite(descriptor, &byte, 1, offset) == 1)
    }

    private func byte(_ window: FileWindow, at offset: UInt) -> UInt8? {
        unsafe UnsafePointer<UInt8>(bitPattern: window.address + offset)?.pointee
    }

    @Test("What is written to it is seen, whole or from an offset on")
    func changes() throws {
        try withMemory(sealed: true) { descriptor, path in
            let whole = try FileWindow(path: path, offset: 0, byteCount: 8192)
            let second = try FileWindow(path: path, offset: 4096, byteCount: 4096)
            for value: UInt8 in [1, 2, 250] {
                write(value, to: descriptor, at: 4097)
                #expect(byte(whole, at: 4097) == value)
                #expect(byte(second, at: 1) == value)
            }
            #expect(byte(whole, at: 1) == 0)
        }
    }

    @Test("One that could end sooner than the mapping is refused")
    func refused() throws {
        func error(_ path: String, _ offset: UInt64, _ byteCount: UInt64) -> Errno? {
            do throws(KernelError) {
                _ = try FileWindow(path: path, offset: offset, byteCount: byteCount)
                return nil
            } catch {
                return error.errno
            }
        }
        try withMemory(sealed: false) { _, path in
            #expect(error(path, 0, 4096) == .notPermitted)
        }
        try withMemory(sealed: true) { _, path in
            #expect(error(path, 0, 8193) == .notPermitted)
            #expect(error(path, 4096, 4097) == .notPermitted)
            #expect(error(path, .max - 4095, 4096) == .notPermitted)
            #expect(error(path, .max - 4095, 8192) == .notPermitted)
            #expect(error(path, 1, 100) == .invalidArgument)
            #expect(error(path, 0, 0) == .invalidArgument)
        }
        #expect(error("/nowhere", 0, 4096) == .noSuchFileOrDirectory)
        #expect(error("/proc/self/maps", 0, 4096) == .notPermitted)
    }
}
