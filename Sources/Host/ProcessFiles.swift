public import Kernel
internal import ProcFS
internal import SystemPackage

/// A file or block device that a process has open.
public struct OpenFile: Sendable, Equatable {
    /// The process and its descriptor.
    public var pid, fd: Int
    /// Where the process found it (link /proc/PID/fd/FD); ends with ` (deleted)` for a file without
    /// a name. Not yet fit for a screen.
    public var path: String
    /// Whether I/O goes past the page cache (`O_DIRECT`, /proc/PID/fdinfo/FD); `nil` if unknown.
    public var isDirect: Bool?
    /// What stat(2) says of it.
    public var status: FileStatus
    /// The mount it was opened through, an id of /proc/PID/mountinfo; `nil` if unknown.
    public var mountID: Int?

    /// The device that holds its data: itself, or the one below its file system.
    public var device: FileStatus.Device {
        status.kind == .blockDevice ? status.ownDevice : status.device
    }
}

/// What a process has open that could be disk images, and by which ways it does I/O.
///
/// Cost for a process with a thousand descriptors: some milliseconds, so once at the start and then
/// every minute. Other users' processes take `CAP_SYS_PTRACE`.
public struct ProcessFiles: Sendable {
    /// The files looked at are at most this many.
    public static let fileLimit = 4096

    /// Regular files and block devices, by ascending descriptor.
    public let files: [OpenFile]
    /// How many descriptors it has, of any kind.
    public let descriptorCount: Int
    /// Descriptors of io_uring instances, ascending.
    public let ioUringDescriptors: [Int]
    /// How many io_uring instances it has.
    public var ioUrings: Int { ioUringDescriptors.count }
    /// Linux AIO contexts (mappings called `/[aio]`); `nil` if /proc/PID/maps cannot be read.
    public let aioContexts: Int?

    /// Looks at the descriptors of process `pid`. Throws ENOENT if there is no such process and
    /// EACCES if it is another user's. A file that is closed meanwhile is left out.
    public init(ofProcess pid: Int, files access: HostFiles = .live) throws(KernelError) {
        let directory = "/proc/\(pid)"
        var found: [OpenFile] = []
        var rings: [Int] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        let descriptors = try access.list("\(directory)/fd").compactMap { Int($0) }.sorted()
        for fd in descriptors {
            guard let path = try? access.link("\(directory)/fd/\(fd)") else { continue }
            if path == "anon_inode:[io_uring]" { rings.append(fd) }
            guard path.hasPrefix("/"), found.count < Self.fileLimit,
                let status = try? access.status("\(directory)/fd/\(fd)"),
                status.kind == .regular || status.kind == .blockDevice
            else { continue }
            let info = try? access.open("\(directory)/fdinfo/\(fd)").readValue(into: &buffer) {
                text throws(ProcFSError) in try DescriptorInfo(text)
            }
            found.append(
                OpenFile(
                    pid: pid, fd: fd, path: path,
                    isDirect: info.map { $0.flags & OpenFlags.direct != 0 }, status: status,
                    mountID: info?.mountID))
        }
        files = found
        descriptorCount = descriptors.count
        ioUringDescriptors = rings
        aioContexts = try? access.open("\(directory)/maps").readValue(into: &buffer) {
            text in MemoryMaps(text).aioContexts
        }
    }
}

extension TextFile {
    /// Reads the whole file and parses it.
    func readValue<Value>(
        into buffer: inout [UInt8], parse: (Span<UInt8>) throws -> Value
    ) throws -> Value {
        let count = try readWhole(into: &buffer)
        return try parse(buffer.span.extracting(first: min(count, buffer.count)))
    }
}
