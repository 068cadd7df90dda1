import Foundation
import Glibc
import Kernel
import SystemPackage
import Testing

/// Which files can be mapped without the fear of SIGBUS.
struct FileSealsTests {
    /// A file of memory, open as long as the body runs.
    private func withMemory(_ body: (_ descriptor: CInt, _ path: String) throws -> Void) throws {
        let allowSealing: CUnsignedInt = 2
        // Swift's Glibc does not have it.
        let symbol = unsafe dlsym(nil, "memfd_create")
        try #require(unsafe symbol != nil)
        let create = unsafe unsafeBitCast(
            symbol, to: (@convention(c) (UnsafePointer<CChar>, CUnsignedInt) -> CInt).self)
        let descriptor = unsafe create("vblktop-test", allowSealing)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        #expect(ftruncate(descriptor, 4096) == 0)
        try body(descriptor, "/proc/self/fd/\(descriptor)")
    }

    @Test func aSealIsSeen() throws {
        let addSeals: CInt = 1033
        try withMemory { descriptor, path in
            var seals = try FileSeals(of: path)
            #expect(!seals.preventShrinking)
            // F_SEAL_GROW alone helps nobody who reads.
            #expect(fcntl(descriptor, addSeals, CInt(4)) == 0)
            seals = try FileSeals(of: path)
            #expect(!seals.preventShrinking)
            #expect(fcntl(descriptor, addSeals, CInt(2)) == 0)
            seals = try FileSeals(of: path)
            #expect(seals.preventShrinking)
            #expect(ftruncate(descriptor, 0) == -1)
        }
    }

    @Test func filesWithoutSeals() {
        func error(_ path: String) -> Errno? {
            do throws(KernelError) {
                _ = try FileSeals(of: path)
                return nil
            } catch {
                return error.errno
            }
        }
        #expect(error("/proc/self/status") == .invalidArgument)
        #expect(error("/nowhere") == .noSuchFileOrDirectory)
    }
}
