import Host
import Kernel
import Telemetry

/// A LUN whose requests may be found among those of a disk of the host.
struct JoinTarget: Sendable, Equatable {
    /// `LUN.qualifiedID`
    var lun: String
    /// Name of the host's disk.
    var disk: String
    /// The file or device behind it, as its process has it open: another process may know it by
    /// another name, or by none.
    var path: String
    /// What was found there; another file means that the process has opened another one.
    var status: FileStatus

    /// A LUN and what its process has open; `nil` if what it is made of lies on no known disk.
    init?(_ lun: LUN, _ opening: OpenFile?) {
        guard let disk = lun.hostDisk, let opening else { return nil }
        self.lun = lun.qualifiedID
        self.disk = disk
        path = "/proc/\(opening.pid)/fd/\(opening.fd)"
        status = opening.status
    }

    /// Whether `other` is the same file, however it has grown.
    func isSame(_ other: FileStatus) -> Bool {
        other.kind == status.kind && other.device == status.device && other.inode == status.inode
            && other.ownDevice == status.ownDevice
    }
}

extension LUN {
    /// Why its sectors are not those of its file; `nil` if they are.
    var sectorProblem: String? {
        guard !isServedElsewhere else { return "another process serves it" }
        guard format == "raw" else {
            return "sectors of a \(format ?? "unknown") image are not those of its file"
        }
        // QEMU names a raw node after its file, unless it begins or ends somewhere in it.
        guard graph.allSatisfy({ $0.driver != "raw" || $0.file == file }) else {
            return "it is a part of its file"
        }
        return nil
    }
}
