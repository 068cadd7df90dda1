internal import Kernel
internal import Telemetry

/// What a process has open, to be found by what QEMU calls it.
struct FilesByName: Sendable {
    private let files: [OpenFile]
    private var byPath: [String: [OpenFile]] = [:]
    private var byLastComponent: [Substring: [OpenFile]] = [:]

    init(_ files: [OpenFile]) {
        self.files = files
        for file in files {
            // Names of LUNs were made fit for a screen.
            let path = Self.path(file)
            byPath[path, default: []].append(file)
            if let last = path.split(separator: "/").last {
                byLastComponent[last, default: []].append(file)
            }
        }
    }

    /// The kernel marks the path of a file that has no name any more.
    private static func path(_ file: OpenFile) -> String {
        let path = file.path.harmless()
        let mark = " (deleted)"
        return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
    }

    /// The descriptors of the file or device that QEMU calls `name`: by its path, and else by its
    /// being the same one under another path. None for what is no file.
    func files(of name: String?, through reader: ProcessReader) -> [OpenFile] {
        guard let name else { return [] }
        if let files = byPath[name] { return files }
        // As the process sees it: it may have another root, and began in another directory.
        let seen = name.hasPrefix("/") ? reader.path("root") + name : reader.path("cwd/") + name
        guard let status = try? reader.files.status(seen) else {
            return name.hasPrefix("/") ? [] : files(endingIn: name)
        }
        return files.filter {
            status.kind == .blockDevice
                ? $0.status.kind == .blockDevice && $0.status.ownDevice == status.ownDevice
                : $0.status.inode == status.inode && $0.status.device == status.device
        }
    }

    /// A QEMU that went into the background has left the directory that its paths begin in: then a
    /// path may be the end of one file's only.
    private func files(endingIn name: String) -> [OpenFile] {
        let parts = name.split(separator: "/").drop { $0 == "." || $0 == ".." }
        let candidates = parts.last.flatMap { byLastComponent[$0] } ?? []
        let found = candidates.filter {
            Self.path($0).split(separator: "/").suffix(parts.count).elementsEqual(parts)
        }
        let isOne = found.allSatisfy {
            $0.status.inode == found[0].status.inode && $0.device == found[0].device
        }
        return isOne ? found : []
    }
}
