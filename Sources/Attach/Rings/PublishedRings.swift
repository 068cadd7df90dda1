internal import Kernel
internal import Rings
internal import Telemetry
internal import Virtio

/// A process that is no QEMU and says itself where its virtqueues are: vblktop's own demo.
struct PublishedRings: Sendable {
    /// More LUNs are not shown.
    private static let mostPlaces = 4096

    let location: RingLocation

    /// What process `pid` says; `nil` if it says nothing, or may not be looked at.
    init?(ofProcess pid: Int) {
        guard
            let text = try? MemoryNote.read(
                RingNotice.fileName, ofProcess: pid, limit: RingNotice.longest),
            let notice = RingNotice(text)
        else { return nil }
        location = RingLocation(
            generation: 1,
            ram: GuestRAM(pid: pid, regions: RingFiles(pid: pid).withFiles(notice.regions)),
            places: notice.places.prefix(Self.mostPlaces).map { place in
                var place = place
                place.lun = clean(place.lun)
                return place
            })
    }

    /// The disks its virtqueues belong to.
    var luns: [LUN] {
        var luns: [LUN] = []
        var places: [String: Int] = [:]
        for place in location.places {
            if let known = places[place.lun] {
                luns[known].queues = (luns[known].queues ?? 0) + 1
                continue
            }
            places[place.lun] = luns.count
            var lun = LUN(id: place.lun, device: "virtio-blk (embedded)")
            (lun.queues, lun.queueSize) = (1, place.size)
            lun.ioThread = "io \(place.lun)"
            lun.features = [
                place.features.contains(.eventIndex) ? "VIRTIO_RING_F_EVENT_IDX" : nil,
                place.features.contains(.indirect) ? "VIRTIO_RING_F_INDIRECT_DESC" : nil,
            ].compactMap(\.self)
            luns.append(lun)
        }
        return luns
    }

    /// What cannot be had of such a process.
    static let unavailable = [
        Unavailable(
            metric: "read_bytes_per_s",
            reason: "virtqueues tell how many requests passed, and of those followed their size"),
        Unavailable(metric: "vcpus", reason: "the process does not say"),
    ]
}
