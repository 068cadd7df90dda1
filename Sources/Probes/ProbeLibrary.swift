public import Kernel
internal import Telemetry

/// The probe files of this installation and of the user.
public struct ProbeLibrary: Sendable {
    /// What could be read, by name.
    public private(set) var definitions: [ProbeDefinition] = []
    /// What could not; the others are not affected.
    public private(set) var errors: [ProbeFileError] = []

    /// How directories and files are read; the system's own outside of tests.
    public struct Reader: Sendable {
        public var names: @Sendable (_ directory: String) throws(KernelError) -> [String]
        public var text: @Sendable (_ path: String) throws(KernelError) -> [UInt8]

        /// Reads through these two.
        public init(
            names: @escaping @Sendable (String) throws(KernelError) -> [String],
            text: @escaping @Sendable (String) throws(KernelError) -> [UInt8]
        ) {
            self.names = names
            self.text = text
        }

        /// This host's file system.
        public static let system = Reader(
            names: { path throws(KernelError) in try directoryEntries(path, limit: 4096).sorted() },
            text: { path throws(KernelError) in try readWholeFile(path, limit: 1 << 18) })
    }

    /// Reads the `.toml` files of `directories`: a file replaces one of the same name in a
    /// directory before. A directory that `mustExist` names and that cannot be read is an error.
    public init(
        directories: [String], mustExist: String? = nil, reader: Reader = .system
    ) {
        var found: [String: ProbeDefinition] = [:]
        for directory in directories {
            let names: [String]
            do {
                names = try reader.names(directory)
            } catch {
                if directory == mustExist {
                    errors.append(
                        ProbeFileError(file: directory, problem: error.description))
                }
                continue
            }
            for name in names where name.hasSuffix(".toml") && !name.hasPrefix(".") {
                do throws(ProbeFileError) {
                    let probe = try Self.read("\(directory)/\(name)", by: reader)
                    found[probe.name] = probe
                } catch {
                    errors.append(error)
                }
            }
        }
        keep(found.values.sorted { $0.name < $1.name })
    }

    /// Columns of one key, in two files: the first by name keeps it.
    private mutating func keep(_ probes: [ProbeDefinition]) {
        var owners: [String: String] = [:]
        for probe in probes {
            let keys = probe.columns.map(\.column.key)
            if let key = keys.first(where: { owners[$0] != nil }), let owner = owners[key] {
                errors.append(
                    ProbeFileError(
                        file: probe.name + ".toml", key: "column.key",
                        problem: "\"\(key)\" is a column of \(owner).toml already"))
                continue
            }
            for key in keys { owners[key] = probe.name }
            definitions.append(probe)
        }
    }

    private static func read(
        _ path: String, by reader: Reader
    ) throws(ProbeFileError) -> ProbeDefinition {
        let bytes: [UInt8]
        do { bytes = try reader.text(path) } catch {
            throw ProbeFileError(file: path, problem: error.description)
        }
        return try ProbeDefinition(toml: String(decoding: bytes, as: UTF8.self), file: path)
    }

    /// Where probe files are looked for, in the order in which they are read: those that came with
    /// the program, the user's own, and `extra` (`--probes DIR`).
    ///
    /// The program's own are beside it in `share/vblktop/probes`, or in the source tree it was
    /// built in: of these the first that has any.
    public static func directories(
        extra: String? = nil, executable: String? = Process.executablePath,
        environment: (String) -> String? = Process.environment, reader: Reader = .system
    ) -> [String] {
        func hasProbes(_ path: String) -> Bool {
            ((try? reader.names(path)) ?? []).contains { $0.hasSuffix(".toml") }
        }
        let own = DataDirectories.program("probes", executable: executable).first(where: hasProbes)
        let user = DataDirectories.user("probes", environment: environment)
        return [own, user, extra].compactMap(\.self)
    }
}
