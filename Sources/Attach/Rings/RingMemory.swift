import ProcFS
import QMP
import Rings
import Virtio

/// Where a VM's memory is mapped in its process, as it becomes known: QEMU tells which guest
/// addresses are RAM and where that lies, and /proc whether there is anything to be read.
struct RingMemory: Sendable {
    /// Regions looked at; a machine has three or four, and one for each module plugged in.
    static let regionLimit = 64

    /// A run of RAM, and where it begins in the process once that is known.
    private struct Part: Sendable {
        let range: QMPMemoryRange
        var host: UInt64?
        /// Whether QEMU does not say where it is.
        var isRefused = false
    }

    private var parts: [Part]?
    /// What can be read; `nil` before that was looked at.
    private(set) var regions: [GuestRAM.Region]?
    /// Why there is nothing to read.
    private(set) var problem: String?

    /// Nothing known.
    init() {}

    /// What to ask next, but for what `pending` holds already.
    func question(pending: Set<QMPQuery>) -> QMPQuery? {
        guard problem == nil else { return nil }
        guard let parts else {
            let query = QMPQuery.monitorText(.memoryMap)
            return pending.contains(query) ? nil : query
        }
        return parts.lazy.filter { $0.host == nil && !$0.isRefused }
            .map { QMPQuery.monitorText(.hostAddress(ofGuest: $0.range.start)) }
            .first { !pending.contains($0) }
    }

    /// Whether all is known that QEMU tells, and the process is to be looked at.
    var wantsCheck: Bool {
        guard let parts, regions == nil, problem == nil else { return false }
        return parts.allSatisfy { $0.host != nil || $0.isRefused }
    }

    /// Takes QEMU's map of guest memory. Where QEMU has told of its own memory too (`blocks`), its
    /// addresses need not be asked for.
    mutating func take(map text: String, blocks: [QMPRAMBlock]) {
        guard let ranges = QMPMemoryRange.all(in: text) else {
            problem = "QEMU's map of guest memory is not understood"
            return
        }
        let largest = ranges.sorted { $0.last - $0.start > $1.last - $1.start }
        parts = largest.prefix(Self.regionLimit).map { range in
            Part(range: range, host: Self.host(of: range, in: blocks))
        }
        if ranges.isEmpty { problem = "QEMU's map shows no RAM" }
    }

    /// Takes where the memory at `guest` lies, as `gpa2hva` says; another text is a refusal.
    mutating func take(host text: String?, ofGuest guest: UInt64) {
        guard let index = parts?.firstIndex(where: { $0.range.start == guest }) else { return }
        let answer = text.flatMap { QMPHostAddress($0) }
        parts?[index].host = answer?.guest == guest ? answer?.host : nil
        parts?[index].isRefused = answer?.guest != guest
    }

    /// QEMU does not show its map.
    mutating func takeRefusal(saying words: String) {
        problem = "QEMU does not show its map of guest memory: \(words)"
    }

    /// The process's memory cannot be looked at.
    mutating func takeUnreadable(_ reason: String) { problem = reason }

    /// A path that opens the file of a mapping, if it cannot become shorter than `byteCount`.
    typealias SealedFile = (_ mapping: MemoryMap.Mapping, _ byteCount: UInt64) -> String?

    /// Keeps what is mapped and may be read; `file` finds the files of shared mappings.
    mutating func check(_ map: MemoryMap, file: SealedFile) {
        let found = (parts ?? []).compactMap { Self.region($0, map, file: file) }
        regions = found
        if found.isEmpty {
            problem = "the addresses that QEMU names are not mapped in its process"
        }
    }

    private static func region(
        _ part: Part, _ map: MemoryMap, file: SealedFile
    ) -> GuestRAM.Region? {
        let (byteCount, overflows) = (part.range.last - part.range.start)
            .addingReportingOverflow(1)
        guard let host = part.host, !overflows else { return nil }
        guard !map.readable(from: host, byteCount: byteCount).isEmpty else { return nil }
        var region = GuestRAM.Region(
            guest: GuestAddress(rawValue: part.range.start), byteCount: byteCount, host: host)
        region.file = map.file(of: region, sealed: file)
        return region
    }

    /// A block is called like the memory in it, a backend's by its path in older machines.
    private static func host(of range: QMPMemoryRange, in blocks: [QMPRAMBlock]) -> UInt64? {
        let named = blocks.filter { $0.name == range.name || $0.name == "/objects/" + range.name }
        guard named.count == 1, let block = named.first, let base = block.host,
            range.offset < block.used, range.last - range.start < block.used - range.offset
        else { return nil }
        let (host, overflows) = base.addingReportingOverflow(range.offset)
        return overflows ? nil : host
    }
}

extension MemoryMap {
    /// The sealed file that `region` is a mapping of, and where it begins there; `nil` where it is
    /// none, or not all of it is.
    func file(
        of region: GuestRAM.Region, sealed file: RingMemory.SealedFile
    ) -> GuestRAM.SharedFile? {
        let mappings = readable(from: region.host, byteCount: region.byteCount)
        guard let first = mappings.first, first.isShared, first.inode != 0, mappings.isOneFile
        else { return nil }
        let (offset, isBeyond) = first.offset.addingReportingOverflow(region.host - first.start)
        let (end, isTooLong) = offset.addingReportingOverflow(region.byteCount)
        guard !isBeyond, !isTooLong, let path = file(first, end) else { return nil }
        return GuestRAM.SharedFile(path: path, offset: offset)
    }
}

extension ArraySlice<MemoryMap.Mapping> {
    /// Whether they map one file without a gap.
    fileprivate var isOneFile: Bool {
        zip(self, dropFirst()).allSatisfy { one, next in
            next.isShared && one.inode == next.inode && one.major == next.major
                && one.minor == next.minor && next.offset == one.offset &+ (one.end - one.start)
        }
    }
}
