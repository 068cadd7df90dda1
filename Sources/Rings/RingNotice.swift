internal import Virtio

/// Where a process that is no QEMU says its virtqueues are: a text in a memory file that is open in
/// it, for whoever may look at the process anyway.
///
///     vblktop-rings 1
///     ram GUEST BYTES HOST
///     ring LUN QUEUE SIZE split|packed DESCRIPTORS AVAIL USED FEATURES
///
/// Addresses and bytes are hexadecimal; FEATURES are `indirect`, `event_idx`, `pops` (the device
/// shows in `avail_event` what it popped) and `reaps` (the driver, in `used_event`), joined by `,`,
/// or `-`. A LUN's name has no blanks. Lines of other kinds are skipped.
public struct RingNotice: Sendable, Equatable {
    /// What the memory file is called.
    public static let fileName = "vblktop-rings"
    /// Longer ones are not read: 4096 queues.
    public static let longest = 1 << 20
    private static let title = "vblktop-rings 1"

    public var regions: [GuestRAM.Region]
    public var places: [RingPlace]

    /// A notice of these queues.
    public init(regions: [GuestRAM.Region], places: [RingPlace]) {
        self.regions = regions
        self.places = places
    }

    /// The notice in `text`; `nil` for one of another kind or version. Lines that make no sense are
    /// left out.
    public init?(_ text: String) {
        var lines = text.split(separator: "\n")[...]
        guard lines.popFirst() == Self.title[...] else { return nil }
        self.init(regions: [], places: [])
        for line in lines.prefix(16_384) {
            let fields = line.split(separator: " ")
            switch fields.first {
            case "ram": Self.region(fields).map { regions.append($0) }
            case "ring": Self.place(fields).map { places.append($0) }
            default: break
            }
        }
    }

    private static func region(_ fields: [Substring]) -> GuestRAM.Region? {
        let numbers = fields.dropFirst().map { UInt64($0, radix: 16) }
        guard numbers.count == 3, let guest = numbers[0], let byteCount = numbers[1],
            let host = numbers[2]
        else { return nil }
        return .init(
            guest: GuestAddress(rawValue: guest), byteCount: byteCount, host: host)
    }

    private static func place(_ fields: [Substring]) -> RingPlace? {
        guard fields.count == 9, let queue = UInt16(fields[2]), let size = UInt16(fields[3]),
            ["split", "packed"].contains(fields[4])
        else { return nil }
        let addresses = fields[5...7].compactMap { UInt64($0, radix: 16) }
        guard addresses.count == 3 else { return nil }
        let words = Set(fields[8].split(separator: ","))
        var features: QueueFeatures = []
        if words.contains("indirect") { features.insert(.indirect) }
        if words.contains("event_idx") { features.insert(.eventIndex) }
        return RingPlace(
            lun: String(fields[1]), queue: Int(queue), size: Int(size),
            layout: fields[4] == "packed" ? .packed : .split,
            descriptors: GuestAddress(rawValue: addresses[0]),
            avail: GuestAddress(rawValue: addresses[1]),
            used: GuestAddress(rawValue: addresses[2]), features: features,
            showsPops: words.contains("pops"), showsReaps: words.contains("reaps"))
    }

    /// The text.
    public var text: String {
        var lines = [Self.title]
        func hex(_ number: UInt64) -> String { String(number, radix: 16) }
        for region in regions {
            lines.append(
                "ram \(hex(region.guest.rawValue)) \(hex(region.byteCount)) \(hex(region.host))")
        }
        for place in places {
            let words = [
                (place.features.contains(.indirect), "indirect"),
                (place.features.contains(.eventIndex), "event_idx"),
                (place.showsPops, "pops"), (place.showsReaps, "reaps"),
            ].filter(\.0).map(\.1)
            let addresses = [place.descriptors, place.avail, place.used].map { hex($0.rawValue) }
            lines.append(
                "ring \(place.lun) \(place.queue) \(place.size) "
                    + (place.layout == .packed ? "packed " : "split ")
                    + addresses.joined(separator: " ") + " "
                    + (words.isEmpty ? "-" : words.joined(separator: ",")))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
