import Foundation
import Glibc
import Host
import Kernel
import QMP
import Rings
import Testing

@testable import Attach

/// This process's own memory, as if it were a VM's.
struct RingFilesTests {
    private static let byteCount = 1 << 20

    /// Finds a file mapped here, of which it is said that it is sealed or not.
    private func region(
        isSealed: Bool, shrunkTo size: Int = byteCount
    ) throws -> (file: String?, offset: UInt64?, count: Int) {
        let path = NSTemporaryDirectory() + "vblktop-ring-" + UUID().uuidString
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        defer { unsafe unlink(path) }
        try #require(ftruncate(descriptor, off_t(Self.byteCount)) == 0)
        let address = unsafe mmap(nil, Self.byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
        defer { unsafe munmap(address, Self.byteCount) }
        try #require(ftruncate(descriptor, off_t(size)) == 0)
        let host = UInt64(UInt(bitPattern: address))

        var locator = RingLocator()
        let disk = RingDevice.Identity(path: "p", lun: "d", isVhost: false, rate: 0)
        locator.update([disk], pid: Kernel.Process.id)
        locator.take(
            .monitorText(
                "address-space: memory\n  1000-1fff (prio 0, ram): alias x @m 2000-2fff\n"),
            to: .monitorText(.memoryMap), blocks: [], at: 0)
        locator.take(
            .monitorText(
                "Host virtual address for 0x1000 (m) is 0x\(String(host + 0x2000, radix: 16))"),
            to: .monitorText(.hostAddress(ofGuest: 0x1000)), blocks: [], at: 0)
        try #require(locator.memory.wantsCheck)
        let files = RingFiles(pid: Kernel.Process.id) { path throws(KernelError) in
            FileSeals(preventShrinking: isSealed)
        }
        files.check(&locator)
        let regions = locator.memory.regions ?? []
        let file = regions.first?.file
        let isOurs = file?.path == "/proc/\(Kernel.Process.id)/fd/\(descriptor)"
        return (isOurs ? file?.path : nil, file?.offset, regions.count)
    }

    @Test func onlyASealedFileCanBeMappedHere() throws {
        let sealed = try region(isSealed: true)
        #expect(sealed.file != nil && sealed.offset == 0x2000 && sealed.count == 1)
        let open = try region(isSealed: false)
        #expect(open.file == nil && open.offset == nil && open.count == 1)
    }

    /// It shrank before it was sealed.
    @Test func aFileThatIsTooShort() throws {
        let short = try region(isSealed: true, shrunkTo: 0x2FFF)
        #expect(short.offset == nil && short.count == 1)
        #expect(try region(isSealed: true, shrunkTo: 0x3000).file != nil)
    }

    @Test func aProcessThatIsNotThere() {
        var locator = RingLocator()
        RingFiles(pid: Int(Int32.max)).check(&locator)
        #expect(locator.memory.problem?.contains("/maps") == true)
    }
}
