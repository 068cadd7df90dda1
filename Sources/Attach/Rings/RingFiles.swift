import Host
import Kernel
import ProcFS
import Rings

/// What /proc tells of a process's memory: where it may be read, and which files it is.
struct RingFiles: Sendable {
    private let pid: Int
    private let files: HostFiles
    private let seals: @Sendable (_ path: String) throws(KernelError) -> FileSeals
    /// More than the maps of a QEMU with thousands of threads.
    private static let longestMap = 16 << 20
    /// Each region is a mapping here, of which a process may have some ten thousand.
    private static let mostFiles = 4096

    /// Looks at process `pid`.
    init(
        pid: Int, files: HostFiles = .live,
        seals: @escaping @Sendable (_ path: String) throws(KernelError) -> FileSeals = {
            path throws(KernelError) in try FileSeals(of: path)
        }
    ) {
        self.pid = pid
        self.files = files
        self.seals = seals
    }

    /// Tells `locator` what the process has mapped where. Costs some milliseconds, and is wanted
    /// once in a VM's life and whenever it was moved.
    func check(_ locator: inout RingLocator) {
        do {
            let (map, open) = (try map(), open)
            locator.take(map) { sealedPath(of: $0, holding: $1, among: open) }
        } catch {
            locator.takeUnreadable(clean(String(describing: error)))
        }
    }

    /// `regions` of the process's memory, and the sealed files that they are mappings of.
    func withFiles(_ regions: [GuestRAM.Region]) -> [GuestRAM.Region] {
        guard let map = try? map() else { return regions }
        let open = open
        return regions.enumerated().map { index, region in
            guard index < Self.mostFiles else { return region }
            var region = region
            region.file = map.file(of: region) { sealedPath(of: $0, holding: $1, among: open) }
            return region
        }
    }

    private func map() throws -> MemoryMap {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let file = try files.open("/proc/\(pid)/maps")
        let count = try file.readWhole(into: &buffer, limit: Self.longestMap)
        return try MemoryMap(buffer.span.extracting(first: min(count, buffer.count)))
    }

    private var open: [OpenFile] {
        (try? ProcessFiles(ofProcess: pid, files: files).files) ?? []
    }

    /// A path that opens the file of `mapping`, if it is sealed against shrinking (F_SEAL_SHRINK)
    /// and has `byteCount` bytes.
    ///
    /// A file that can shrink is never mapped here: whoever reads a mapping behind its file's end
    /// is killed (SIGBUS), and anyone who may write the file could do that to us. The kernel reads
    /// such memory for us instead (process_vm_readv), and fails where it must.
    private func sealedPath(
        of mapping: MemoryMap.Mapping, holding byteCount: UInt64, among open: [OpenFile]
    ) -> String? {
        let file = open.first {
            $0.status.inode == mapping.inode && $0.status.device.major == Int(mapping.major)
                && $0.status.device.minor == Int(mapping.minor)
        }
        guard let file, UInt64(clamping: file.status.size) >= byteCount else { return nil }
        let path = "/proc/\(pid)/fd/\(file.fd)"
        return (try? seals(path))?.preventShrinking == true ? path : nil
    }
}
