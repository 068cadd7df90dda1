import Kernel
import Testing
import Virtio

@testable import DataPlane

extension DataPlaneTests {
    /// The memory of the simulated guest, before anything runs.
    @Suite struct Memory {
        private static func engine(isShared: Bool) throws -> Engine {
            let luns = [512, 4096, 12288].enumerated().map { index, blockSize in
                var job = job(depth: 8)
                job.blockSize = blockSize
                return LUNConfiguration(
                    id: "lun\(index)", backend: .null(byteCount: 1 << 20), job: job)
            }
            var configuration = EngineConfiguration(luns: luns)
            configuration.sharesMemory = isShared
            return try Engine(configuration)
        }

        /// However many LUNs there are, it takes one descriptor.
        @Test func memoryThatIsSharedIsOneSealedFile() throws {
            func files() throws -> Set<String> {
                Set(
                    try directoryEntries("/proc/self/fd").map { "/proc/self/fd/" + $0 }.filter {
                        (try? linkTarget($0)) == "/memfd:vblktop-guest (deleted)"
                    })
            }
            let before = try files()
            let own = try Self.engine(isShared: false)
            #expect(try files() == before)
            let shared = try Self.engine(isShared: true)
            let new = try files().subtracting(before)
            #expect(new.count == 1)
            let path = try #require(new.first)
            #expect(try FileSeals(of: path).preventShrinking)
            var offset: UInt64 = 0
            for index in 0..<3 {
                let ring = try #require(shared.ringPlaces(ofLUN: index).first)
                let window = try FileWindow(
                    path: path, offset: offset, byteCount: ring.byteCount)
                let last = ring.byteCount - 8
                HostMemory.storeWord(11, at: UInt(ring.host + last))
                #expect(HostMemory.loadWord(at: window.address + UInt(last)) == 11)
                offset += ring.byteCount
            }
            withExtendedLifetime((own, shared)) {}
        }
    }
}
