import Kernel
import SystemPackage
import Telemetry

/// Where LUNs lie on the disks of the host. What cannot be found out is a reason, and asked for
/// again.
struct SectorMaps: Sendable {
    /// How the host is looked at: `live` outside of tests.
    struct Look: Sendable {
        var status: @Sendable (_ path: String) throws(KernelError) -> FileStatus
        var pieces: @Sendable (_ path: String) throws(KernelError) -> [FilePiece]
        /// First sector of a partition; `nil` for a whole disk.
        var start: @Sendable (FileStatus.Device) throws(KernelError) -> UInt64?

        static let live = Look(
            status: { path throws(KernelError) in try FileStatus(of: path) },
            pieces: { path throws(KernelError) in try FilePiece.all(of: path) },
            start: { device throws(KernelError) in try partitionStart(device) })
    }

    /// How long what was found counts, whatever becomes of the file, nanoseconds.
    static let patience: Nanoseconds = 30_000_000_000
    /// Files looked into in one sample: one of very many pieces takes some ten milliseconds.
    private static let mostLooks = 8

    private struct Place: Sendable {
        var target: JoinTarget
        var lookedAt: Nanoseconds
        var status: FileStatus?
        var map: SectorMap?
        var problem: String?
    }

    private let look: Look
    private var places: [String: Place] = [:]

    init(_ look: Look = .live) { self.look = look }

    /// Where the LUN called so (`LUN.qualifiedID`) lies on its disk.
    func place(of lun: String) -> (disk: String, map: SectorMap)? {
        places[lun].flatMap { place in place.map.map { (place.target.disk, $0) } }
    }

    /// Why it is not known where LUNs lie, by their names.
    var problems: [String: String] { places.compactMapValues(\.problem) }

    var isEmpty: Bool { places.values.allSatisfy { $0.map == nil } }

    /// Looks where there is need: at what is new, and from time to time at what has grown, could
    /// not be found, or has requests that were not found (`missed`).
    mutating func update(_ targets: [JoinTarget], missed: Set<String>, now: Nanoseconds) {
        let wanted = Dictionary(targets.map { ($0.lun, $0) }, uniquingKeysWith: { $1 })
        places = places.filter { wanted[$0.key] != nil }
        var looks = 0
        for target in targets where looks < Self.mostLooks {
            if let known = places[target.lun], isGood(known, target, missed, now) { continue }
            looks += 1
            places[target.lun] = find(target, now)
        }
    }

    private func isGood(
        _ known: Place, _ target: JoinTarget, _ missed: Set<String>, _ now: Nanoseconds
    ) -> Bool {
        guard known.target.path == target.path, target.isSame(known.target.status) else {
            return false
        }
        if now &- known.lookedAt < Self.patience { return true }
        guard known.problem == nil, !missed.contains(target.lun) else { return false }
        let status = try? look.status(target.path)
        return status?.size == known.status?.size && status?.allocated == known.status?.allocated
    }

    private func find(_ target: JoinTarget, _ now: Nanoseconds) -> Place {
        var place = Place(target: target, lookedAt: now)
        do {
            let status = try look.status(target.path)
            guard target.isSame(status) else {
                place.problem = "its process has another file open by now"
                return place
            }
            place.status = status
            place.map = try map(target.path, status)
            if place.map?.extents.isEmpty == true {
                place.map = nil
                place.problem = "its file has no place on the disk yet"
            }
        } catch {
            place.problem = error.description
        }
        return place
    }

    private func map(_ path: String, _ status: FileStatus) throws(KernelError) -> SectorMap {
        if status.kind == .blockDevice {
            return SectorMap(offset: try look.start(status.ownDevice) ?? 0)
        }
        let start = try look.start(status.device) ?? 0
        return SectorMap(
            extents: try look.pieces(path).compactMap { piece in
                let (place, overflows) = (piece.place / 512).addingReportingOverflow(start)
                guard !overflows, piece.offset % 512 == 0, piece.place % 512 == 0 else {
                    return nil
                }
                return SectorMap.Extent(
                    lun: piece.offset / 512, disk: place, count: piece.length / 512)
            })
    }
}

/// The first sector of the partition `device`; `nil` for a whole disk.
private func partitionStart(_ device: FileStatus.Device) throws(KernelError) -> UInt64? {
    let directory = "/sys/dev/block/\(device.major):\(device.minor)"
    guard (try? FileStatus(of: directory + "/partition")) != nil else {
        _ = try FileStatus(of: directory)
        return nil
    }
    let text = String(decoding: try readWholeFile(directory + "/start", limit: 64), as: UTF8.self)
    guard let start = UInt64(text.prefix { !$0.isWhitespace }) else {
        throw KernelError("understand", directory + "/start", .invalidArgument)
    }
    return start
}
