internal import Kernel
internal import Libraries

/// The object files of the programs.
enum ProgramFile {
    /// More than any of them has, bytes.
    private static let limit = 4 << 20

    /// The object file of the set called `name`, from where probe files are: the directory of an
    /// installation, or that of the build.
    static func read(
        _ name: String, directories: [String] = DataDirectories.program("probes")
    ) throws(KernelProbeError) -> BPFObject {
        let file = "\(name).bpf.o"
        for directory in directories {
            guard let bytes = try? readWholeFile("\(directory)/\(file)", limit: limit) else {
                continue
            }
            do { return try BPFObject(bytes) } catch { throw KernelProbeError(error, of: name) }
        }
        throw KernelProbeError(
            reason: "BPF programs \(name): there is no \(file) in \(directories.first ?? "")",
            remedy: "build with make, which compiles them, and install with make install")
    }
}
