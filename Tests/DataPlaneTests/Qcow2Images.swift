import Glibc
import GuestHarness
import Kernel
import Testing
import Virtio

@testable import DataPlane
@testable import Qcow2

/// A folder of images that goes with this object.
final class ImageFolder {
    let path: String

    init(_ place: Place) throws {
        path = "\(place.directory ?? "/var/tmp")/vblktop-qcow2-\(UInt64.random(in: 0 ... .max))"
        guard unsafe mkdir(path, 0o700) == 0 else {
            throw Unusable(description: "cannot create \(path)")
        }
    }

    deinit {
        for name in names { remove("\(path)/\(name)") }
        _ = unsafe rmdir(path)
    }

    private var names: [String] = []

    /// The path of a file that may be created.
    func file(_ name: String) -> String {
        names.append(name)
        return "\(path)/\(name)"
    }

    /// An empty file.
    func emptyFile(_ name: String, isDirect: Bool = true) throws -> BackingFile {
        let path = file(name)
        let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw Unusable(description: "cannot create \(path)") }
        close(descriptor)
        return try BackingFile(opening: path, readOnly: false, isDirect: isDirect)
    }

    /// Writes a file.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = try emptyFile(name)
        let mapping = try SharedMapping(byteCount: max(1, bytes.count))
        copy(bytes, to: mapping.address)
        let source = unsafe UnsafeRawPointer(bitPattern: mapping.address)
        guard unsafe pwrite(file.descriptor, source, bytes.count, 0) == bytes.count else {
            throw Unusable(description: "cannot write \(name)")
        }
        return file.name
    }

    /// A file's content.
    func content(of path: String) throws -> [UInt8] {
        try RandomReadFile(path: path).read(at: 0, count: 1 << 26)
    }
}

/// Copies bytes to memory that has room for them.
private func copy(_ bytes: [UInt8], to address: UInt) {
    // SAFETY: the caller's memory has room for all of `bytes`.
    unsafe bytes.withUnsafeBytes { source in
        HostMemory.copy(
            to: address, from: UInt(bitPattern: source.baseAddress), byteCount: UInt(source.count))
    }
}

/// QEMU's own tools, the judges of an image.
enum QEMUImage {
    /// Whether they are here.
    static let isPresent = ["qemu-img", "qemu-io"].allSatisfy { tool in
        ["/usr/bin/", "/usr/local/bin/", "/bin/"].contains { unsafe access($0 + tool, X_OK) == 0 }
    }

    /// Runs a tool: what it exited with and what it said.
    static func run(_ arguments: String...) throws -> (status: Int32, text: String) {
        try run(arguments)
    }

    static func run(_ arguments: [String]) throws -> (status: Int32, text: String) {
        let ending = try RunningProgram(arguments).ending()
        return (ending.status, ending.lines.joined(separator: "\n") + ending.errors)
    }

    /// Expects that `qemu-img check` finds neither errors nor leaks.
    static func expectClean(
        _ path: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        // -U: whether or not it is open here.
        let (status, text) = try run("qemu-img", "check", "-U", "-f", "qcow2", path)
        #expect(status == 0, "\(text)", sourceLocation: sourceLocation)
    }
}

/// One LUN on an image, a request at a time.
final class ImageRig {
    static let requestBytes = 128 << 10
    private let rig: Rig<Qcow2Backend<AIOContext>>
    let byteCount: Int

    init(_ file: BackingFile, cache: CacheMode = .none) throws {
        let format = try ImageFormat.qcow2(in: file)
        var lun = LUNConfiguration(
            id: "image", backend: .file(file, FileAccess(cache: cache, format: format)),
            job: job(depth: 4, blockSize: Self.requestBytes))
        lun.queueSize = 16
        byteCount = Int(lun.backend.sectors) * 512
        rig = try Rig(
            lun,
            backend: Qcow2Backend(
                file: file, cache: cache,
                requests: try AIOContext(capacity: 16, signalling: try EventDescriptor()),
                queueSize: 16, segmentLimit: lun.segmentLimit))
    }

    func write(_ data: [UInt8], at offset: Int) -> UInt8? {
        copy(data, to: rig.memory.host(rig.memory.buffer(0)))
        return rig.ask(BlockRequestType.write, sector: UInt64(offset / 512), out: data.count)?
            .status
    }

    func read(_ offset: Int, count: Int) -> [UInt8]? {
        rig.fill(0xEE, count: count)
        let answer = rig.ask(BlockRequestType.read, sector: UInt64(offset / 512), into: count)
        guard answer?.status == BlockStatus.ok else { return nil }
        let address = rig.memory.host(rig.memory.buffer(0))
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { target, filled in
            // SAFETY: `count` bytes of the rig's memory go to an array with room for them.
            HostMemory.copy(
                to: UInt(bitPattern: target.baseAddress), from: address, byteCount: UInt(count))
            filled = count
        }
    }

    /// The whole disk.
    func content() -> [UInt8] {
        stride(from: 0, to: byteCount, by: Self.requestBytes).flatMap {
            read($0, count: min(Self.requestBytes, byteCount - $0)) ?? []
        }
    }

    func flush() -> UInt8? { rig.ask(BlockRequestType.flush)?.status }

    func clear(_ offset: Int, count: Int, unmap: Bool) -> UInt8? {
        rig.putRange(
            sector: UInt64(offset / 512), count: UInt32(count / 512), flags: unmap ? 1 : 0)
        return rig.ask(BlockRequestType.writeZeroes, out: 16)?.status
    }

    func discard(_ offset: Int, count: Int) -> UInt8? {
        rig.putRange(sector: UInt64(offset / 512), count: UInt32(count / 512))
        return rig.ask(BlockRequestType.discard, out: 16)?.status
    }

    func close() { rig.device.backend.close() }
}
