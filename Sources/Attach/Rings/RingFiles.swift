import Host
import Kernel
import ProcFS

/// What /proc tells of a process's memory: where it may be read, and which files it is.
struct RingFiles: Sendable {
    private let pid: Int
    private let files: HostFiles
    private let seals: @Sendable (_ path: String) throws(KernelError) -> FileSeals
    /// More than the maps of a QEMU with thousands of threads.
    private static let longestMap = 16 << 20

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
        let map: MemoryMap
        do {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let file = try files.open("/proc/\(pid)/maps")
            let count = try file.readWhole(into: &buffer, limit: Self.longestMap)
            map = try MemoryMap(buffer.span.extracting(first: min(count, buffer.count)))
        } catch {
            locator.takeUnreadable(clean(String(describing: error)))
            return
        }
        let open = (try? ProcessFiles(ofProcess: pid, files: files).files) ?? []
        locator.take(map) { sealedPath(of: $0, holding: $1, among: open) }
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
