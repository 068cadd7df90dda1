public import DataPlane
import Kernel
import Telemetry

/// The data of all LUNs of a bench: made once, for every run finds the same files.
public struct BenchStorage: Sendable {
    let backends: [BackendChoice]
    /// How its files are read and written; nil where the data are in none.
    public let access: FileAccess?
    private let fileName: String
    /// Whether every cluster of its images has its place in the file.
    private var isAllocated = false

    /// Room for `luns` LUNs as `demo` says where: `backend`, `lunBytes`, `backingDirectory`, or
    /// `lunFiles`, of which there must be as many. Throws what keeps it from being made, with the
    /// way out.
    public init(_ demo: DemoConfiguration, luns: Int) throws {
        var demo = demo
        demo.luns = luns
        if !demo.lunFiles.isEmpty, demo.lunFiles.count < luns {
            throw BackingStore.Refusal(
                description: "\(luns) LUNs need as many files, and \(demo.lunFiles.count) "
                    + "were given; repeat --file, or use fewer --luns")
        }
        backends = try BackingStore(configuration: demo).backends()
        switch backends.first {
        case .null, nil: (fileName, access) = ("null", nil)
        case .memory: (fileName, access) = ("memory", nil)
        case .file(let file, let access): (fileName, self.access) = (file.name, access)
        }
    }

    /// What it is, for charts: `null`, `memory`, or the AIO model, cache mode and format of a file,
    /// and where it is.
    public var name: String {
        guard let access else { return fileName }
        let format = isImage ? (isAllocated ? "qcow2 allocated" : "qcow2") : "raw"
        return "file (aio \(access.model.nameInQEMU), cache \(access.cache.rawValue), \(format)) "
            + fileName
    }

    /// Whether writes are refused.
    public var isReadOnly: Bool { backends.contains { $0.isReadOnly } }

    /// Whether its files are qcow2 images.
    public var isImage: Bool { access.map { $0.format != .raw } ?? false }

    /// Writes all of its images once, so that what is measured afterwards is the way through their
    /// tables and not how they grow; other storage has its place already, and what is only read
    /// stays as it is.
    ///
    /// `rest` is called while the work goes on; it waits a little, and ends it by returning false.
    /// Returns whether all is done.
    public mutating func fill(whileWaiting rest: () throws -> Bool) throws -> Bool {
        guard isImage, !isReadOnly else { return true }
        let luns = backends.enumerated().map { index, backend in
            var job = JobConfiguration()
            (job.pattern, job.readPercent, job.depth) = (.sequential, 0, 4)
            // The whole disk is blocks, of up to a cluster as they usually are.
            job.blockSize = 1 << min(16, (backend.sectors * 512).trailingZeroBitCount)
            return LUNConfiguration(id: "vd\(index)", backend: backend, job: job)
        }
        var configuration = EngineConfiguration(luns: luns)
        (configuration.deviceWait, configuration.guestWait) = (.block, .block)
        (configuration.vcpus, configuration.ioThreads) = (processorCount(), processorCount())
        configuration.trace = .off
        let engine = try Engine(configuration)
        try engine.start()
        defer { engine.stop() }
        // One after the other from the first block on: what is asked for later is written again.
        while !luns.indices.allSatisfy({
            let blocks = luns[$0].backend.sectors * 512 / UInt64(luns[$0].job.blockSize)
            return engine.counters(ofLUN: $0).requests >= blocks
        }) {
            if let failed = luns.indices.first(where: { engine.errors(ofLUN: $0) > 0 }) {
                throw BackingStore.Refusal(
                    description: "cannot fill the image of LUN \(failed) in \(fileName): writes "
                        + "fail; is there room?")
            }
            guard try rest() else { return false }
        }
        isAllocated = true
        return true
    }

    /// Paths by which another process can open the files of the first `luns` LUNs while this one
    /// lives; empty where the data are in no file.
    public func paths(luns: Int) -> [String] {
        backends.prefix(luns).compactMap { backend in
            guard case .file(let file, _) = backend else { return nil }
            // A file without a name has this one.
            return "/proc/\(Process.id)/fd/\(file.descriptor)"
        }
    }
}
