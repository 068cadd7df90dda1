import DataPlane
import Kernel

/// The data of all LUNs of a bench: made once, for every run finds the same files.
public struct BenchStorage: Sendable {
    let backends: [BackendChoice]
    /// What it is, for charts: `null`, `memory`, or the AIO model, cache mode and format of a file,
    /// and where it is.
    public let name: String

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
        name =
            switch backends.first {
            case .null, nil: "null"
            case .memory: "memory"
            case .file(let file, let access):
                "file (aio \(access.model.nameInQEMU), cache \(access.cache.rawValue), raw) "
                    + file.name
            }
    }

    /// Whether writes are refused.
    public var isReadOnly: Bool { backends.contains { $0.isReadOnly } }

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
